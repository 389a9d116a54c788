// The sections of a document: their rows, or the reason why there are none.

import { sentence } from "./format.js";

export const LOADING = "Loading.";
export const notRead = (reason) => sentence(`could not be read: ${reason}`);

/** A section's rows, and the text if there are none. `absent` and `error` of a document apply to all sections. */
export function rowsOf(found, name, nothing) {
  const { rows = [], absent = found.absent, error = found.error } = found[name] ?? {};
  return [rows, absent ?? (error ? notRead(error) : nothing)];
}
