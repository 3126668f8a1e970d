/** A value that the server computes: shown with its colour, never typed. */
import { useTranslation } from 'react-i18next';
import { timeText } from '../logic/clock.ts';
import { valueOf, type Attachment, type Quantity } from '../logic/fhir.ts';
import { unitOf, type Answer, type Item } from '../logic/questionnaire.ts';
import { colorOf } from '../logic/response.ts';
import { useAnswers, useForm, type FieldProps } from './context.ts';
import { optionLabel } from './ChoiceField.tsx';

export function answerText(answer: Answer | undefined, yes: string, no: string): string {
  const value = valueOf(answer);
  if (typeof value === 'boolean') return value ? yes : no;
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? timeText(value) : value;
  if (typeof value === 'object' && value) {
    const v = value as Quantity & Attachment & { reference?: string };
    if (v.value !== undefined) return `${v.value} ${v.unit ?? v.code ?? ''}`.trim();
    if (v.url) return v.title ?? v.url;
  }
  return optionLabel(value);
}

function optionColor(item: Item, answer: Answer): string | undefined {
  const code = (valueOf(answer) as { code?: string } | undefined)?.code;
  const option = item.answerOption?.find((o) => (valueOf(o) as { code?: string } | undefined)?.code === code);
  return option && code ? colorOf(option) : undefined;
}

export function ServerField({ item, path }: FieldProps) {
  const { t } = useTranslation();
  const { colors } = useForm();
  const [answers] = useAnswers(path);
  if (answers.length === 0) return <span className="q-help">{t('form.computed')}</span>;
  const unit = unitOf(item);
  return (
    <span id={`f-${path}`}>
      {answers.map((answer, n) => {
        const color = colors[path] ?? colorOf(answer) ?? optionColor(item, answer);
        return <span key={n} className={color ? `q-value level-${color}` : 'q-value'}>{answerText(answer, t('yes'), t('no'))}{unit && ` ${unit.display ?? unit.code}`}</span>;
      })}
    </span>
  );
}
