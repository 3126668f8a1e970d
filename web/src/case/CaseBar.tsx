/** The head of a case: state, clock, who owns the next step, who has claimed it, and what this person may do now. */
import { Button, Space } from 'antd';
import { PrinterOutlined } from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import type { Action, Pathway, PrintInfo } from '../api/pathways.ts';
import { CaseClock, StateTag, UrgencyTag, pathwayTitle, useHotkey } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { extensionOf, extensionValue, pathwayOf, stateOf, type Reference, type Task } from '../logic/fhir.ts';

interface Props {
  task: Task;
  pathways: Pathway[] | undefined;
  actions: Action[] | undefined;
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

function Facts({ task, pathways }: { task: Task; pathways: Pathway[] | undefined }) {
  const { t } = useTranslation();
  const info = pathways?.find((p) => p.code === pathwayOf(task))?.states.find((s) => s.code === stateOf(task));
  const claim = claimantOf(task);
  return (
    <div className="case-facts">
      <span>{t('case.requester')} <b>{task.requester?.display ?? t('none')}</b></span>
      {info?.open !== false && <span>{t('case.owner')} <b>{task.owner?.display ?? t('none')}</b></span>}
      {claim && <span>{t('case.claimant')} <b>{claim.who?.display ?? claim.who?.reference}</b>{claim.until && ` ${t('case.until', { at: timeText(claim.until).slice(11) })}`}</span>}
      {info?.next && <span className="case-next">{t('case.next')} {info.next}</span>}
      {task.description && <span className="case-what">{task.description}</span>}
    </div>
  );
}

export function CaseBar({ task, pathways, actions, active, choose, print }: Props) {
  const { t } = useTranslation();
  const shown = (actions ?? []).filter((a) => !a.receipt || a.questionnaire);
  const main = shown.find((a) => a.primary);
  const byKey = main ?? (shown.length === 1 ? shown[0] : undefined);
  useHotkey((e) => e.key === 'F4' && !e.altKey && Boolean(byKey), () => { if (byKey) choose(byKey); });
  return (
    <section className="case-bar">
      <div className="case-line">
        <strong className="case-title">{pathwayTitle(task, pathways)}</strong>
        <StateTag task={task} pathways={pathways} />
        <UrgencyTag priority={task.priority} />
        <CaseClock task={task} />
        <Space size={6} wrap className="case-actions">
          {shown.map((a) => (
            <Button key={a.code} size="small" type={a === main ? 'primary' : 'default'} danger={a.danger} data-action={a.code}
              aria-pressed={active === a.code} onClick={() => choose(a)}>
              {a.title}{a === byKey && <kbd>F4</kbd>}
            </Button>
          ))}
          {actions && shown.length === 0 && <span className="q-help">{t('case.nothing-for-you')}</span>}
          {printsFor(task, pathways).map((p) => <Button key={p.code} size="small" icon={<PrinterOutlined />} onClick={() => print(p)}>{p.title}</Button>)}
        </Space>
      </div>
      <Facts task={task} pathways={pathways} />
    </section>
  );
}
