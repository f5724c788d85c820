// @ts-check
/** Templates: lit-html, drawn again when a signal that they read changes. */

import { Directive, directive } from "./vendor/lit-html/directive.js";
import { noChange, render } from "./vendor/lit-html/lit-html.js";
import { effect } from "./vendor/signals-core/signals-core.mjs";

export { live } from "./vendor/lit-html/directives/live.js";
export { ref } from "./vendor/lit-html/directives/ref.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";
export { classMap } from "./vendor/lit-html/directives/class-map.js";
export { html, nothing, svg } from "./vendor/lit-html/lit-html.js";

/**
 * Draw `view` into an element, now and after each change of a signal that it reads.
 *
 * @param {string} selector
 * @param {() => unknown} view
 */
export function mount(selector, view) {
  const element = /** @type {HTMLElement} */ (document.querySelector(selector));
  effect(() => {
    render(view(), element);
  });
}

class CssVariables extends Directive {
  /** @param {Record<string, string | number>} _variables */
  render(_variables) {
    return noChange;
  }

  /**
   * @param {import("./vendor/lit-html/directive.js").ElementPart} part
   * @param {[Record<string, string | number>]} values
   */
  update(part, [variables]) {
    const { style } = /** @type {HTMLElement} */ (part.element);
    for (const [name, value] of Object.entries(variables)) style.setProperty(`--${name}`, String(value));
    return noChange;
  }
}

/** Set CSS variables of an element. The page's policy allows no `style` attribute. */
export const cssVariables = directive(CssVariables);
