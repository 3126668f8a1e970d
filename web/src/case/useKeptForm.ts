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
import type { FormState, Questionnaire } from '../logic/questionnaire.ts';
import { assembleResponse, draftState, openForm } from '../logic/response.ts';
import { workKey, type Work } from './work.ts';

const LOCAL_MS = 250;
const COUNTY_MS = 1200;
/** How long a sending waits for a copy that is on its way to the county. */
const HOLD_MS = 5000;

/** What keeping may write over; the answer to a sending stands until the next key. */
const KEEPING = new Set<SaveState['state']>(['clean', 'local', 'draft', 'unkept']);

interface Restored { at: number; moved: boolean }

/**
 * Which copies lag behind what stands on the screen. `typed`: the words are this screen's own; `sending`: no copy may set out
 * for the county and come after the form itself; `over`: sent or thrown away, nothing is to be kept any more.
 */
interface Lag { local: boolean; county: boolean; typed: boolean; sending: boolean; over: boolean }

const NO_LAG: Lag = { local: false, county: false, typed: false, sending: false, over: false };

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
  const lag = useRef<Lag>({ ...NO_LAG });
  const onWay = useRef(Promise.resolve());
  const latest = useRef(state);
  latest.current = state;

  const keepHere = useCallback(() => {
    lag.current.local = false;
    const at = serverNow();
    const next: SaveState = keep(slot, { state: latest.current, at }) ? { state: 'local', at } : { state: 'unkept' };
    setSave((now) => (KEEPING.has(now.state) ? next : now));
  }, [slot]);
  const putWords = useCallback(async () => {
    if (lag.current.over || lag.current.sending) return;
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
  /** One copy after the other: an older one never arrives last. */
  const keepThere = useCallback(() => { onWay.current = onWay.current.then(putWords); }, [putWords]);

  useEffect(() => {
    if (!lag.current.local) return undefined;
    const here = setTimeout(keepHere, LOCAL_MS);
    const there = setTimeout(keepThere, LOCAL_MS + COUNTY_MS);
    return () => { clearTimeout(here); clearTimeout(there); };
  }, [touched, keepHere, keepThere]);
  useEffect(() => { if (live === 'live' && lag.current.county && !lag.current.local) keepThere(); }, [live, keepThere]);

  const leaving = useRef(() => undefined as void);
  leaving.current = () => {
    if (lag.current.over) return;
    if (lag.current.local) keepHere();
    if (lag.current.county) keepThere();
  };
  useEffect(() => () => leaving.current(), []);

  useEffect(() => {
    const abort = new AbortController();
    readDraft(key, abort.signal).then((draft) => {
      const at = Date.parse(draft.at);
      if (lag.current.typed || lag.current.over || (kept && kept.at >= at)) return;
      setState(draftState(form, draft.response));
      setTouched((n) => n + 1);
      setRestored({ at, moved: Boolean(draft.seen && seen && draft.seen !== seen) });
      setSave({ state: 'draft', at });
    }, (error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 404 || !kept?.sent || lag.current.typed || lag.current.over) return;
      forget(slot);
      setState(fresh());
      setRestored(undefined);
      setSave({ state: 'clean' });
    });
    return () => abort.abort();
    // Read once for each form that is opened; what comes later is this screen's own.
  }, [key]);

  const change = useCallback((make: (old: FormState) => FormState) => {
    lag.current = { ...NO_LAG, local: true, county: true, typed: true };
    setSave((now) => (KEEPING.has(now.state) ? now : { state: 'clean' }));
    setState(make);
    setTouched((n) => n + 1);
  }, []);
  /** Before the form is sent: what is on its way to the county has arrived there, and nothing follows it. */
  const hold = useCallback(async () => {
    lag.current.sending = true;
    await Promise.race([onWay.current, new Promise((over) => { setTimeout(over, HOLD_MS); })]);
  }, []);
  /** Refused or not reached: the words are kept as before. */
  const release = useCallback(() => {
    lag.current.sending = false;
    if (lag.current.county) keepThere();
  }, [keepThere]);
  /** Sent: the county has ended its draft in the same commit. */
  const end = useCallback(() => {
    lag.current = { ...NO_LAG, over: true };
    forget(slot);
  }, [slot]);
  const startOver = useCallback(() => {
    lag.current = { ...NO_LAG, over: true };
    forget(slot);
    dropDraft(key).catch(() => undefined);
    setState(openForm(form, work.action.response));
    setRestored(undefined);
    setSave({ state: 'clean' });
  }, [key, slot, form, work.action.response]);
  return { state, setState, touched, change, save, setSave, restored, hold, release, end, startOver };
}
