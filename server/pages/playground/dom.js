// @ts-check
/** Templates: lit-html, drawn again when a signal that they read changes. */

import { Directive, directive } from "./vendor/lit-html/directive.js";
import { noChange, render } from "./vendor/lit-html/lit-html.js";
import { effect } from "./vendor/signals-core/signals-core.mjs";

export { repeat } from "./vendor/lit-html/directives/repeat.js";
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

// The fields that somebody types into, from the first key until what was typed is entered or left.
const edited = /** @type {WeakSet<EventTarget>} */ (new WeakSet());
document.addEventListener("input", ({ target }) => target && edited.add(target), { capture: true });
for (const name of ["change", "focusout"]) {
  document.addEventListener(name, ({ target }) => target && edited.delete(target), { capture: true });
}

/** Enter what is being typed, as if its field were left. */
export function enterEdited() {
  const field = document.activeElement;
  if (field && edited.has(field)) field.dispatchEvent(new Event("change", { bubbles: true }));
}

class Live extends Directive {
  /** @param {unknown} value */
  render(value) {
    return value;
  }

  /**
   * @param {import("./vendor/lit-html/directive.js").PropertyPart} part
   * @param {[unknown]} values
   */
  update({ element, name }, [value]) {
    const field = /** @type {Record<string, any>} */ (/** @type {unknown} */ (element));
    if (!edited.has(element) && field[name] !== value) field[name] = value;
    return noChange;
  }
}

/** Keep a property of a field as the state is, except while somebody types into the field. */
export const live = directive(Live);

class WithElement extends Directive {
  isCalled = false;

  /** @param {(element: Element) => void} _call */
  render(_call) {
    return noChange;
  }

  /**
   * @param {import("./vendor/lit-html/directive.js").ElementPart} part
   * @param {[(element: Element) => void]} values
   */
  update({ element }, [call]) {
    if (!this.isCalled) call(element);
    this.isCalled = true;
    return noChange;
  }
}

/** Call a function once with an element that is made, before it is in the document. */
export const withElement = directive(WithElement);

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
