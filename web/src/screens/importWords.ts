/** Colours of what became of a table. */
import type { RunState } from '../api/imports.ts';

export const RUN_COLORS: Record<RunState, string | undefined> = {
  uploaded: undefined, checking: 'processing', checked: 'blue', importing: 'processing', imported: 'green', stopped: 'orange', failed: 'red',
};
