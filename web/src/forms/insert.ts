/** Lets what stands beside a form (a measurement in a drawing) write into the text that was last worked in. */
type Insert = (text: string) => void;

let target: Insert | undefined;

export function setInsertTarget(insert: Insert | undefined): void {
  target = insert;
}

/** False when no text of a form has been worked in. */
export function insertText(text: string): boolean {
  target?.(text);
  return target !== undefined;
}
