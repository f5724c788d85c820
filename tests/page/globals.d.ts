/** What scripts other than ours define. */

/** Swagger UI, of fastapi-offline. */
declare const SwaggerUIBundle: {
  (options: { url: string; dom_id: string; deepLinking: boolean; presets: unknown[] }): unknown;
  presets: { apis: unknown };
};
