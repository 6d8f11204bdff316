// The time as the server has it: a device's clock may be wrong, and the clock of a cloud on a developer's machine moves.

const WRONG_MS = 60_000;
let offset = 0;

/** Returns the time now, in milliseconds since 1970. */
export const now = () => Date.now() + offset;

/** Sets this clock by an answer of the server's, if the device's is wrong by more than a minute. */
export function setClock({ headers }) {
  const wrong = Date.parse(headers.get("date")) + 1000 * (Number(headers.get("age")) || 0) - Date.now();
  offset = Math.abs(wrong) > WRONG_MS ? wrong : 0; // an answer without a date leaves the device's
}
