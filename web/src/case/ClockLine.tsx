import { useTranslation } from 'react-i18next';
import { useNow } from '../app/parts.tsx';
import { clockOf, timeText } from '../logic/clock.ts';

/** A deadline with its running clock, where there is no Task around it. */
export function ClockLine({ end }: { end?: string }) {
  const { t } = useTranslation();
  const now = useNow();
  const clock = clockOf(end, undefined, now, { day: t('unit.day'), hour: t('unit.hour') });
  if (clock.level === 'none') return null;
  return <span className={`clock clock-${clock.level}`} title={timeText(end)}>{clock.level === 'over' ? t('clock.over', { span: clock.text }) : clock.text}</span>;
}
