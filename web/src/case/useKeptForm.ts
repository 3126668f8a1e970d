/**
 * The words of a form that is being filled, and where they are: in this browser a quarter of a second after the last key, at
 * the county a second later. What the county has from another computer is taken up unless typing has begun here.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { ApiError } from '../api/http.ts';
import { dropDraft, forget, keep, putDraft, readDraft, readKept, slotOf } from '../api/drafts.ts';
import { useLiveState } from '../api/events.ts';
import { serverNow, type User } from '../api/session.ts';
import type { SaveState } from '../app/parts.tsx';
import { dateTimeOf } from '../logic/clock.ts';
import { assembleResponse, draftState, openForm, type FormState, type Questionnaire } from '../logic/questionnaire.ts';
import { workKey, type Work } from './work.ts';

const LOCAL_MS = 250;
const COUNTY_MS = 1200;

/** What keeping may write over; the answer to a sending stands until the next key. */
const KEEPING = new Set<SaveState['state']>(['clean', 'local', 'draft', 'unkept']);

interface Restored { at: number; moved: boolean }

/** Which copies lag behind what stands on the screen; `over`: sent or thrown away, nothing is to be kept any more. */
interface Lag { local: boolean; county: boolean; over: boolean }

export function useKeptForm(work: Work, user: User, form: Questionnaire) {
  const key = workKey(work);
  const slot = slotOf(user.post ?? user.practitioner ?? user.name, key);
  const seen = work.kind === 'move' ? work.task.meta?.versionId : undefined;
  const kept = useMemo(() => readKept(slot), [slot]);
  const live = useLiveState();
  const fresh = () => openForm(form, work.action.response);
  const [state, setState] = useState<FormState>(() => kept?.state ?? fresh());
  const [touched, setTouched] = useState(kept ? 1 : 0);
  const [save, setSave] = useState<SaveState>(kept ? { state: 'local', at: kept.at } : { state: 'clean' });
  const [restored, setRestored] = useState<Restored | undefined>(kept && { at: kept.at, moved: false });
  const lag = useRef<Lag>({ local: false, county: false, over: false });
  const latest = useRef(state);
  latest.current = state;

  const keepHere = useCallback(() => {
    lag.current.local = false;
    const at = serverNow();
    const next: SaveState = keep(slot, { state: latest.current, at }) ? { state: 'local', at } : { state: 'unkept' };
    setSave((now) => (KEEPING.has(now.state) ? next : now));
  }, [slot]);
  const keepThere = useCallback(async () => {
    const words = latest.current;
    lag.current.county = false;
    try {
      const response = { ...assembleResponse(form, words, { authored: dateTimeOf(serverNow()), base: work.action.response }), status: 'in-progress' };
      const at = await putDraft(key, seen, response);
      if (lag.current.over || lag.current.local || latest.current !== words) return;
      keep(slot, { state: words, at, sent: true });
      setSave((now) => (now.state === 'local' || now.state === 'unkept' ? { state: 'draft', at } : now));
    } catch {
      lag.current.county = !lag.current.over;
    }
  }, [key, slot, seen, form, work.action.response]);

  useEffect(() => {
    if (!lag.current.local) return undefined;
    const here = setTimeout(keepHere, LOCAL_MS);
    const there = setTimeout(() => void keepThere(), LOCAL_MS + COUNTY_MS);
    return () => { clearTimeout(here); clearTimeout(there); };
  }, [touched, keepHere, keepThere]);
  useEffect(() => { if (live === 'live' && lag.current.county && !lag.current.local) void keepThere(); }, [live, keepThere]);

  const leaving = useRef(() => undefined as void);
  leaving.current = () => {
    if (lag.current.over) return;
    if (lag.current.local) keepHere();
    if (lag.current.county) void keepThere();
  };
  useEffect(() => () => leaving.current(), []);

  useEffect(() => {
    const abort = new AbortController();
    readDraft(key, abort.signal).then((draft) => {
      const at = Date.parse(draft.at);
      if (lag.current.local || lag.current.over || (kept && kept.at >= at)) return;
      setState(draftState(form, draft.response));
      setTouched((n) => n + 1);
      setRestored({ at, moved: Boolean(draft.seen && seen && draft.seen !== seen) });
      setSave({ state: 'draft', at });
    }, (error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 404 || !kept?.sent || lag.current.local || lag.current.over) return;
      forget(slot);
      setState(fresh());
      setRestored(undefined);
      setSave({ state: 'clean' });
    });
    return () => abort.abort();
    // Read once for each form that is opened; what comes later is this screen's own.
  }, [key]);

  const change = useCallback((make: (old: FormState) => FormState) => {
    Object.assign(lag.current, { local: true, county: true, over: false });
    setSave((now) => (KEEPING.has(now.state) ? now : { state: 'clean' }));
    setState(make);
    setTouched((n) => n + 1);
  }, []);
  /** Sent: the county has ended its draft in the same commit. */
  const end = useCallback(() => {
    lag.current = { local: false, county: false, over: true };
    forget(slot);
  }, [slot]);
  const startOver = useCallback(() => {
    lag.current = { local: false, county: false, over: true };
    forget(slot);
    dropDraft(key).catch(() => undefined);
    setState(openForm(form, work.action.response));
    setRestored(undefined);
    setSave({ state: 'clean' });
  }, [key, slot, form, work.action.response]);
  return { state, setState, touched, change, save, setSave, restored, end, startOver };
}
