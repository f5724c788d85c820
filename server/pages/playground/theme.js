// @ts-check
/** Light, dark, or as the system is. */

import { signal } from "./vendor/signals-core/signals-core.mjs";

const STORED = "ltx23-theme";
const THEMES = /** @type {const} */ (["system", "light", "dark"]);

export const theme = signal(localStorage.getItem(STORED) ?? "system");

export function applyTheme() {
  document.documentElement.dataset.theme = theme.value;
}

export function switchTheme() {
  theme.value = THEMES[(THEMES.findIndex((name) => name === theme.value) + 1) % THEMES.length];
  localStorage.setItem(STORED, theme.value);
  applyTheme();
}
