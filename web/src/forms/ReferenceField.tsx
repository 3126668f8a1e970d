/** A question that chooses from the record. Its lookup is a FHIR search; slots are laid out by day, the rest is a list. */
import { Select, Spin } from 'antd';
import { useTranslation } from 'react-i18next';
import { useSearch } from '../api/queries.ts';
import { timeText } from '../logic/clock.ts';
import { resourceTitle, valueOf } from '../logic/fhir.ts';
import type { Concept, Reference, Resource } from '../logic/fhir.ts';
import { answerOf, fillLookup, lookupOf } from '../logic/questionnaire.ts';
import { useAnswers, useForm, type FieldProps } from './context.ts';

interface Slot extends Resource { start?: string; end?: string; comment?: string; specialty?: Concept[]; schedule?: Reference }

function labelOf(resource: Resource): string {
  const r = resource as Resource & { providedBy?: Reference };
  const title = resourceTitle(r);
  return r.providedBy?.display ? `${r.providedBy.display} · ${title}` : title;
}

function byDay(slots: Slot[]): [string, Slot[]][] {
  const days = new Map<string, Slot[]>();
  for (const slot of slots) {
    const day = timeText(slot.start).slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), slot]);
  }
  return [...days];
}

function SlotGrid({ slots, chosen, pick, disabled }: { slots: Slot[]; chosen?: string; pick: (slot: Slot) => void; disabled: boolean }) {
  const { t } = useTranslation();
  const weekday = (day: string) => t(`weekday.${new Date(`${day}T00:00:00Z`).getUTCDay()}`);
  return (
    <div className="slots" role="radiogroup">
      {byDay(slots).map(([day, list]) => (
        <div key={day} className="slot-day">
          <div className="slot-date">{day.slice(5)} <small>{weekday(day)}</small></div>
          <div className="slot-times">
            {list.map((slot) => (
              <button key={slot.id} type="button" role="radio" disabled={disabled} aria-checked={chosen === `Slot/${slot.id}`} className="slot-time"
                title={labelOf(slot)} onClick={() => pick(slot)}>
                {timeText(slot.start).slice(11)}
              </button>
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

/** Slots that begin first come first, whatever the order they were sent in. */
function inOrder(found: Resource[]): Slot[] {
  return [...(found as Slot[])].sort((a, b) => (a.start ?? '').localeCompare(b.start ?? ''));
}

export function ReferenceField({ item, path }: FieldProps) {
  const { t } = useTranslation();
  const { state, disabled, labelOf: fieldLabel, patient } = useForm();
  const [answers, set] = useAnswers(path);
  const lookup = lookupOf(item);
  const filled = lookup ? fillLookup(lookup, path, state, patient ? { patient } : {}) : { missing: [] };
  const [type, query] = (filled.query ?? '').split('?');
  const search = useSearch<Resource>(type, filled.query === undefined ? undefined : `${query ?? ''}${/_count=/.test(query ?? '') ? '' : `${query ? '&' : ''}_count=100`}`);
  const chosen = valueOf(answers[0]) as Reference | undefined;
  const pick = (resource: Resource) => set([answerOf('reference', { reference: `${resource.resourceType}/${resource.id}`, display: labelOf(resource) })]);

  if (filled.missing.length > 0) return <div className="q-help">{t('form.first', { field: filled.missing.map(fieldLabel).join('、') })}</div>;
  if (!lookup) return <span>{chosen?.display ?? chosen?.reference ?? t('none')}</span>;
  if (search.isPending) return <Spin size="small" />;
  if (search.isError) return <div className="q-error">{t('form.lookup-failed')} {search.error.message}</div>;
  const found = search.data;
  if (found.length === 0) return <div className="q-help">{t('form.nothing-free')}</div>;
  if (type === 'Slot') {
    const gone = chosen?.reference && !found.some((r) => `Slot/${r.id}` === chosen.reference);
    return (
      <>
        {gone && <div className="q-error" role="alert">{t('form.slot-gone', { slot: chosen.display ?? '' })}</div>}
        <SlotGrid slots={inOrder(found)} chosen={chosen?.reference} pick={pick} disabled={disabled} />
      </>
    );
  }
  const options = found.map((r) => ({ value: `${r.resourceType}/${r.id}`, label: labelOf(r) }));
  if (chosen?.reference && !options.some((o) => o.value === chosen.reference)) options.unshift({ value: chosen.reference, label: chosen.display ?? chosen.reference });
  return (
    <Select id={`f-${path}`} showSearch optionFilterProp="label" disabled={disabled} value={chosen?.reference} options={options} allowClear={!item.required}
      onChange={(ref?: string) => {
        const resource = found.find((r) => `${r.resourceType}/${r.id}` === ref);
        if (resource) pick(resource); else if (!ref) set([]);
      }} />
  );
}

