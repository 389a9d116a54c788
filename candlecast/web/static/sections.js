// What a document says of its sections: their rows, or why there are none.

import { sentence } from "./format.js";

export const NOT_YET = "Not read yet.";
export const notRead = (reason) => sentence(`could not be read: ${reason}`);

/** A section's rows, and what to say where there are none; `absent` or `error` of a whole document is its sections'. */
export function rowsOf(found, name, nothing) {
  const { rows = [], absent = found.absent, error = found.error } = found[name] ?? {};
  return [rows, absent ?? (error ? notRead(error) : nothing)];
}
