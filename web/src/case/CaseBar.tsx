/** The head of a case: state, clock, who owns the next step, who has claimed it, and what this person may do now. */
import { Button, Space } from 'antd';
import { PrinterOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import type { Action, Pathway, PrintInfo } from '../api/pathways.ts';
import { useResource } from '../api/queries.ts';
import { CaseClock, StateTag, UrgencyTag, pathwayTitle, useHotkey } from '../app/parts.tsx';
import { routeText } from '../app/route.ts';
import { timeText } from '../logic/clock.ts';
import { extensionOf, extensionValue, idOf, localReference, pathwayOf, stateOf, type Reference, type Task } from '../logic/fhir.ts';
import { lastStep } from '../logic/held.ts';
import { stepTitle } from './CaseSteps.tsx';
import type { Held } from './useHeld.ts';

interface Props {
  task: Task;
  pathways: Pathway[] | undefined;
  actions: Action[] | undefined;
  held: Held | undefined;
  active?: string;
  choose: (action: Action) => void;
  print: (print: PrintInfo) => void;
}

export function claimantOf(task: Task): { who?: Reference; until?: string } | undefined {
  const claim = extensionOf(task, 'urn:menkou:claimant') ?? task.extension?.find((e) => e.url.endsWith('claimant'));
  if (!claim) return undefined;
  const whole = claim.valueReference as Reference | undefined;
  return { who: whole ?? (extensionValue(claim, 'who') as Reference | undefined), until: extensionValue(claim, 'until') as string | undefined };
}

export function printsFor(task: Task, pathways: Pathway[] | undefined): PrintInfo[] {
  const pathway = pathways?.find((p) => p.code === pathwayOf(task));
  const state = stateOf(task) ?? '';
  return (pathway?.prints ?? []).filter((p) => p.states.length === 0 || p.states.includes(state));
}

/** The case this one came out of, where this person may see it. */
function Parent({ task, pathways }: { task: Task; pathways: Pathway[] | undefined }) {
  const { t } = useTranslation();
  const parent = useResource<Task>(localReference(task.partOf?.[0]?.reference)).data;
  if (!parent) return null;
  const patient = idOf(parent.for?.reference) ?? '';
  return (
    <span className="case-of">
      {t('case.part-of')} <a href={routeText({ screen: 'patient', patient, task: parent.id })}>{pathwayTitle(parent, pathways)}</a> <StateTag task={parent} pathways={pathways} />
    </span>
  );
}

function Facts({ task, pathways }: { task: Task; pathways: Pathway[] | undefined }) {
  const { t } = useTranslation();
  const info = pathways?.find((p) => p.code === pathwayOf(task))?.states.find((s) => s.code === stateOf(task));
  const claim = claimantOf(task);
  return (
    <div className="case-facts">
      <span>{t('case.requester')} <b>{task.requester?.display ?? t('none')}</b></span>
      {info?.open !== false && <span>{t('case.owner')} <b>{task.owner?.display ?? t('none')}</b></span>}
      {claim && <span>{t('case.claimant')} <b>{claim.who?.display ?? claim.who?.reference}</b>{claim.until && ` ${t('case.until', { at: timeText(claim.until).slice(11) })}`}</span>}
      <Parent task={task} pathways={pathways} />
      {info?.next && <span className="case-next">{t('case.next')} {info.next}</span>}
      {task.description && <span className="case-what">{task.description}</span>}
    </div>
  );
}

/** What was done last and why: the reason of a return or a refusal is read before anything is opened. */
function LastStep({ task, held, pathways }: { task: Task; held: Held | undefined; pathways: Pathway[] | undefined }) {
  const last = held && lastStep(held.steps, held.resources);
  if (!last) return null;
  const { step, words } = last;
  const who = [step.agent?.[0]?.who?.display, step.agent?.[0]?.onBehalfOf?.display].filter(Boolean).join(' · ');
  return (
    <div className="case-last">
      <small>{timeText(step.occurredDateTime ?? step.recorded)}</small> {stepTitle(step, task, pathways)} <small>{who}</small>
      {words && <b className="case-words">{words}</b>}
    </div>
  );
}

export function CaseBar({ task, pathways, actions, held, active, choose, print }: Props) {
  const { t } = useTranslation();
  const shown = (actions ?? []).filter((a) => !a.receipt || a.questionnaire);
  const main = shown.find((a) => a.primary);
  useHotkey((e) => e.key === 'F4' && !e.altKey && Boolean(main), () => { if (main) choose(main); });
  return (
    <section className="case-bar">
      <div className="case-line">
        <strong className="case-title">{pathwayTitle(task, pathways)}</strong>
        <StateTag task={task} pathways={pathways} />
        <UrgencyTag priority={task.priority} />
        <CaseClock task={task} />
        <Space size={6} wrap className="case-actions">
          {shown.map((a) => (
            <Button key={`act-${a.code}`} size="small" type={a === main ? 'primary' : 'default'} danger={a.danger} data-action={a.code}
              aria-pressed={active === a.code} onClick={() => choose(a)}>
              {a.title}{a === main && <kbd>F4</kbd>}
            </Button>
          ))}
          {actions && shown.length === 0 && <span className="q-help">{t('case.nothing-for-you')}</span>}
          {printsFor(task, pathways).map((p) => <Button key={`print-${p.code}`} size="small" icon={<PrinterOutlined />} onClick={() => print(p)}>{p.title}</Button>)}
        </Space>
      </div>
      <Facts task={task} pathways={pathways} />
      <LastStep task={task} held={held} pathways={pathways} />
    </section>
  );
}
