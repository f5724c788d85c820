// @ts-check
/** Icons, 16 x 16, drawn with lines of the text's colour. */

import { svg } from "./dom.js";

/** @param {unknown} shapes */
const icon = (shapes) => svg`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${shapes}</svg>`;

export const DICE = icon(svg`<rect x="2.5" y="2.5" width="11" height="11" rx="2.5"/><path d="M5.5 5.5h.01M10.5 5.5h.01M8 8h.01M5.5 10.5h.01M10.5 10.5h.01"/>`);
export const LOCKED = icon(svg`<rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>`);
export const UNLOCKED = icon(svg`<rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/><path d="M5.5 7V5a2.5 2.5 0 0 1 4.8-1"/>`);
export const CLOSE = icon(svg`<path d="m4 4 8 8m0-8-8 8"/>`);
export const PICTURE = icon(svg`<rect x="2" y="3" width="12" height="10" rx="1.5"/><path d="m2.5 11 3.5-3.5 3 3 2-2 2.5 2.5M10.5 6h.01"/>`);
export const SOUND = icon(svg`<path d="M2.5 6.5v3m2.5-5v7M8 3v10m3-8.5v7m2.5-5v3"/>`);
export const DOWNLOAD = icon(svg`<path d="M8 2.5v7.5m-3-3 3 3 3-3M3 13.5h10"/>`);
export const TRASH = icon(svg`<path d="M3 4.5h10M6 4.5v-2h4v2m-5.8 0 .6 9h6.4l.6-9"/>`);
export const COMPARE = icon(svg`<rect x="2" y="3.5" width="5" height="9" rx="1"/><rect x="9" y="3.5" width="5" height="9" rx="1"/>`);
export const REUSE = icon(svg`<path d="M3 8a5 5 0 0 1 8.5-3.5L13 6M13 2.5V6H9.5M13 8a5 5 0 0 1-8.5 3.5L3 10m0 3.5V10h3.5"/>`);
export const CODE = icon(svg`<path d="M5.5 4.5 2 8l3.5 3.5m5-7L14 8l-3.5 3.5"/>`);
export const BACK = icon(svg`<path d="m10 4-4 4 4 4"/>`);
export const FORWARD = icon(svg`<path d="m6 4 4 4-4 4"/>`);
export const RETAKE = icon(svg`<path d="M2 5.5h3m6 0h3M2 10.5h3m6 0h3"/><rect x="5" y="3" width="6" height="10" rx="1"/>`);
export const CONTINUE = icon(svg`<rect x="2" y="4" width="6" height="8" rx="1"/><path d="M10.5 8H14m-2-2 2 2-2 2"/>`);
export const THEME = icon(svg`<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5v11a5.5 5.5 0 0 0 0-11Z" fill="currentColor"/>`);
export const KEY = icon(svg`<circle cx="5.5" cy="10.5" r="3"/><path d="m7.7 8.3 5.3-5.3m-2 2 1.8 1.8"/>`);
export const WAND = icon(svg`<path d="m2.5 13.5 7-7m1-4v2m0 0v2m0-2h2m-2 0h-2m4.5 5v2m-1-1h2"/>`);
export const UNDO = icon(svg`<path d="M3 6h6.5a3.5 3.5 0 0 1 0 7H6M3 6l3-3M3 6l3 3"/>`);
