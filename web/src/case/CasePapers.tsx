/** What was written in a case, readable without its forms: answers by their own texts, reports, bookings. */
import { Tag } from 'antd';
import { SafetyCertificateOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import type { Pathway } from '../api/pathways.ts';
import { useResource, useSearch } from '../api/queries.ts';
import { answerText } from '../forms/ServerField.tsx';
import { timeText } from '../logic/clock.ts';
import { conceptText, localReference, resourceTitle, valueOf, type Attachment, type Concept, type Reference, type Resource, type Task } from '../logic/fhir.ts';
import type { Provenance, Signed } from '../logic/held.ts';
import { isHidden } from '../logic/questionnaire.ts';
import { colorOf, type Response, type ResponseItem } from '../logic/response.ts';
import { inLanguage } from '../logic/translate.ts';
import { stepTitle } from './CaseSteps.tsx';
import type { Held } from './useHeld.ts';

/** A reference that was written without words is looked up; its address is shown only where that is refused. */
function ReferenceValue({ reference }: { reference: Reference }) {
  const found = useResource<Resource>(reference.display ? undefined : localReference(reference.reference));
  return <>{reference.display ?? (found.data ? resourceTitle(found.data) : reference.reference)}</>;
}

function AnswerValue({ answer, shown }: { answer: Record<string, unknown>; shown?: string }) {
  const { t } = useTranslation();
  const file = valueOf(answer) as Attachment | undefined;
  const color = shown ?? colorOf(answer);
  if (typeof file === 'object' && file?.url) {
    const id = localReference(file.url)?.split('/')[1];
    return <a href={`/fhir/Binary/${id}`} target="_blank" rel="noreferrer">{file.title ?? file.url}</a>;
  }
  if (typeof file === 'object' && (file as Reference).reference) return <ReferenceValue reference={file as Reference} />;
  return <span className={color ? `level-${color}` : undefined}>{answerText(answer, t('yes'), t('no'))}</span>;
}

function PaperItems({ items }: { items: ResponseItem[] | undefined }) {
  return (
    <dl className="paper-items">
      {(items ?? []).filter((i) => !isHidden(i)).map((item, n) => (
        <div key={`${item.linkId}-${n}`} className={item.answer ? 'paper-item' : 'paper-group'}>
          <dt>{item.text ?? item.linkId}</dt>
          <dd>
            {(item.answer ?? []).map((a, m) => <span key={m} className="paper-answer"><AnswerValue answer={a} shown={colorOf({ extension: item.extension })} />{a.item && <PaperItems items={a.item} />}</span>)}
            {item.item && <PaperItems items={item.item} />}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Forms are kept in Chinese; for another reader their texts come from the form, in the version that was filled. */
function FormItems({ response }: { response: Response }) {
  const lang = useTranslation().i18n.language;
  const [url, version] = (response.questionnaire ?? '').split('|');
  const query = `url=${encodeURIComponent(url ?? '')}${version ? `&version=${encodeURIComponent(version)}` : ''}&_count=1`;
  const form = useSearch<Resource & { item?: unknown }>('Questionnaire', url && !lang.startsWith('zh') ? query : undefined);
  return <PaperItems items={inLanguage(response.item, form.data?.[0], lang)} />;
}

function formTitle(response: Resource, steps: Provenance[], task: Task, pathways: Pathway[] | undefined): string {
  const ref = `QuestionnaireResponse/${response.id}`;
  const step = steps.find((s) => s.entity?.some((e) => localReference(e.what?.reference) === ref));
  const input = task.input?.find((i) => localReference(i.valueReference?.reference) === ref);
  return (step && stepTitle(step, task, pathways)) ?? input?.type?.text ?? input?.type?.coding?.[0]?.display ?? '';
}

interface Report extends Resource { status?: string; code?: Concept; conclusion?: string; issued?: string; performer?: Reference[]; resultsInterpreter?: Reference[]; conclusionCode?: Concept[] }

function SignedLine({ signed }: { signed: Signed }) {
  const { t } = useTranslation();
  return <p className="signed"><SafetyCertificateOutlined /> {t('sign.signed')} {signed.who} <time>{timeText(signed.when, true)}</time></p>;
}

function ReportPaper({ report, signed }: { report: Report; signed?: Signed }) {
  const { t, i18n } = useTranslation();
  const key = `status.${report.status}`;
  return (
    <article className="paper paper-report">
      <h4>{conceptText(report.code)} <Tag>{i18n.exists(key) ? t(key) : report.status}</Tag><small>{timeText(report.issued)} {[...(report.resultsInterpreter ?? []), ...(report.performer ?? [])].map((p) => p.display).filter(Boolean).join(' · ')}</small></h4>
      <p className="paper-conclusion">{report.conclusion}</p>
      {signed && <SignedLine signed={signed} />}
    </article>
  );
}

interface Booking extends Resource { start?: string; end?: string; status?: string; description?: string; participant?: { actor?: Reference }[] }

function BookingPaper({ booking }: { booking: Booking }) {
  const { t, i18n } = useTranslation();
  const key = `status.${booking.status}`;
  return (
    <article className="paper">
      <h4>{t('kind.booking')} <Tag>{i18n.exists(key) ? t(key) : booking.status}</Tag></h4>
      <p>{timeText(booking.start)}–{timeText(booking.end).slice(11)} {booking.description} {booking.participant?.map((p) => p.actor?.display).filter(Boolean).join(' · ')}</p>
    </article>
  );
}

export function CasePapers({ task, held, pathways }: { task: Task; held: Held; pathways: Pathway[] | undefined }) {
  const { t } = useTranslation();
  const forms = held.resources.filter((r) => r.resourceType === 'QuestionnaireResponse') as (Resource & Response & { authored?: string; author?: Reference })[];
  const results = held.resources.filter((r) => r.resourceType === 'DiagnosticReport') as Report[];
  const bookings = held.resources.filter((r) => r.resourceType === 'Appointment') as Booking[];
  const written = forms.filter((f) => f.item?.some((i) => !isHidden(i)));
  written.sort((a, b) => (b.authored ?? '').localeCompare(a.authored ?? ''));
  const own = new Set(results.map((r) => `DiagnosticReport/${r.id}`));
  const others = held.signed.filter((s) => !own.has(s.reference));
  if (written.length + results.length + bookings.length === 0) return <p className="q-help">{t('case.no-papers')}</p>;
  return (
    <div className="papers">
      {results.map((r) => <ReportPaper key={r.id} report={r} signed={held.signed.find((s) => s.reference === `DiagnosticReport/${r.id}`)} />)}
      {bookings.map((b) => <BookingPaper key={b.id} booking={b} />)}
      {others.map((s) => <SignedLine key={`${s.reference}/${s.version}`} signed={s} />)}
      {written.map((f) => (
        <article key={f.id} className="paper">
          <h4>{formTitle(f, held.steps, task, pathways) || t('kind.form')}<small>{timeText(f.authored)} {f.author?.display}</small></h4>
          <FormItems response={f} />
        </article>
      ))}
    </div>
  );
}
