/**
 * Draws any R4 Questionnaire. Order, nesting and texts are the form's; enableWhen is evaluated here, every expression by
 * the server. Enter goes to the next field; nothing here knows what a form is about.
 */
import { Button } from 'antd';
import { PlusOutlined, DeleteOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import type { KeyboardEvent } from 'react';
import {
  addGroup, childPath, groupCount, isEnabled, isHidden, isServerFilled, itemControl, removeGroup,
  type Item, type Questionnaire,
} from '../logic/questionnaire.ts';
import { FormScope, useForm, type FormContext } from './context.ts';
import { Field } from './Field.tsx';

const SHORT_TYPES = new Set(['integer', 'decimal', 'date', 'time', 'boolean', 'quantity']);

/** Fields of few characters stand two in a row. */
function isShort(item: Item): boolean {
  return SHORT_TYPES.has(item.type) && !item.repeats && !item.item && !isServerFilled(item);
}

function GroupItem({ item, parent }: { item: Item; parent: string }) {
  const { t } = useTranslation();
  const form = useForm();
  const count = groupCount(form.state, parent, item);
  const instances = Array.from({ length: count }, (_, n) => n);
  return (
    <fieldset className="q-cell q-group" disabled={form.disabled}>
      {item.text && <legend>{item.text}</legend>}
      {instances.map((n) => (
        <div key={n} className={item.repeats ? 'q-instance' : undefined}>
          <Items items={item.item} parent={childPath(parent, item, n)} />
          {item.repeats && (
            <Button size="small" type="text" danger icon={<DeleteOutlined />} onClick={() => form.replace(removeGroup(form.state, parent, item, n))}>
              {t('form.remove')}
            </Button>
          )}
        </div>
      ))}
      {item.repeats && (
        <Button size="small" icon={<PlusOutlined />} onClick={() => form.replace(addGroup(form.state, parent, item))}>
          {t('form.add')}
        </Button>
      )}
    </fieldset>
  );
}

function Items({ items, parent }: { items: Item[] | undefined; parent: string }) {
  const { state } = useForm();
  return (
    <>
      {(items ?? []).map((item) => {
        const path = childPath(parent, item);
        if (isHidden(item) || itemControl(item) === 'help' || !isEnabled(item, path, state)) return null;
        if (item.type === 'group') return <GroupItem key={item.linkId} item={item} parent={parent} />;
        if (item.type === 'display') return <p key={item.linkId} className="q-cell q-display">{item.text}</p>;
        const answered = (state.answers[path] ?? []).length > 0;
        return (
          <div key={item.linkId} className={isShort(item) ? 'q-cell q-cell-short' : 'q-cell'}>
            <Field item={item} path={path} />
            {answered && item.item && <div className="q-nested"><Items items={item.item} parent={path} /></div>}
          </div>
        );
      })}
    </>
  );
}

const FOCUSABLE = 'input:not([disabled]):not([type=hidden]):not([type=file]), textarea:not([disabled]), [data-submit]';

/** A radio group is one stop: only its chosen or first button counts. */
function stopsOf(root: HTMLElement): HTMLElement[] {
  const seen = new Set<string>();
  return [...root.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((el) => {
    const input = el as HTMLInputElement;
    if (input.type !== 'radio') return el.offsetParent !== null || el.closest('.ant-select, .ant-picker') !== null;
    if (seen.has(input.name)) return false;
    const chosen = root.querySelector<HTMLInputElement>(`input[type=radio][name="${CSS.escape(input.name)}"]:checked`);
    if (chosen && chosen !== input) return false;
    seen.add(input.name);
    return true;
  });
}

function nextField(e: KeyboardEvent<HTMLElement>): void {
  const target = e.target as HTMLElement;
  if (e.key !== 'Enter' || e.ctrlKey || e.nativeEvent.isComposing) return;
  if (target.tagName !== 'INPUT' || target.getAttribute('aria-expanded') === 'true') return;
  const stops = stopsOf(e.currentTarget);
  const at = stops.findIndex((s) => s === target || (s as HTMLInputElement).name === ((target as HTMLInputElement).name || '\n'));
  const next = stops[at + 1] ?? e.currentTarget.parentElement?.querySelector<HTMLElement>('[data-submit]');
  if (!next) return;
  e.preventDefault();
  next.focus();
}

export function QuestionnaireForm({ form, scope }: { form: Questionnaire; scope: FormContext }) {
  return (
    <FormScope.Provider value={scope}>
      <div className={scope.large ? 'q-form q-large' : 'q-form'} onKeyDown={nextField}>
        <Items items={form.item} parent="" />
      </div>
    </FormScope.Provider>
  );
}
