/** One table in the right panel: which column is what, the dry run, the run, and what was refused. */
import { useRef, useState } from 'react';
import { Alert, Button, Input, Progress, Select } from 'antd';
import { CloseOutlined, DeleteOutlined, DownloadOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { doImport, isBusy, removeImport, sheetPath, type Element, type Import, type Run, type Table, type Words } from '../api/imports.ts';
import { Confirm } from '../app/Confirm.tsx';
import { useErrorText, useFocusBack, useHotkey } from '../app/parts.tsx';
import { choicesOf, mapOf, missing, readMap, sameMap, twice, type Choices, type TableMap } from '../logic/tables.ts';

function useWords(): (words: Words) => string {
  const { i18n } = useTranslation();
  return (words) => (i18n.language === 'en' ? words.en : words.zh);
}

function ElementRow({ element, table, choices, set, disabled }: {
  element: Element; table: Table; choices: Choices; set: (next: Choices) => void; disabled: boolean;
}) {
  const { t } = useTranslation();
  const text = useWords();
  const mine = choices[element.code] ?? { column: -1, otherwise: '' };
  const change = (part: Partial<typeof mine>) => set({ ...choices, [element.code]: { ...mine, ...part } });
  const sample = table.sample.map((row) => row[mine.column]).find(Boolean) ?? '';
  const name = text(element);
  return (
    <tr data-element={element.code}>
      <th scope="row">{name}{element.needed && <span className="import-needed" title={t('fault.required')}> *</span>}</th>
      <td>
        <Select size="small" value={mine.column} disabled={disabled} aria-label={name} popupMatchSelectWidth={false} onChange={(column: number) => change({ column })}
          options={[{ value: -1, label: t('import.no-column') }, ...table.header.map((title, n) => ({ value: n, label: title || t('import.column', { n: n + 1 }) }))]} />
        {sample && <small className="import-sample" title={sample}>{sample}</small>}
      </td>
      <td><Input size="small" value={mine.otherwise} disabled={disabled} aria-label={`${name} ${t('import.otherwise')}`} onChange={(e) => change({ otherwise: e.target.value })} /></td>
    </tr>
  );
}

/** The mapping as a file: kept for the next table, or brought from another county. */
function MapFile({ map, name, take, disabled }: { map: TableMap; name: string; take: (map: TableMap) => void; disabled: boolean }) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const [bad, setBad] = useState(false);
  const save = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(map, null, 2)], { type: 'application/json' }));
    link.download = `${name}.map.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const load = async (file: File | undefined) => {
    const read = file && readMap(await file.text());
    setBad(Boolean(file) && !read);
    if (read) take(read);
    if (input.current) input.current.value = '';
  };
  return (
    <div className="import-map">
      <input ref={input} type="file" accept=".json,application/json" hidden onChange={(e) => void load(e.target.files?.[0])} data-map-file />
      <Button size="small" onClick={save}>{t('import.map-save')}</Button>
      <Button size="small" disabled={disabled} onClick={() => input.current?.click()}>{t('import.map-load')}</Button>
      {bad && <span className="q-error" role="alert">{t('import.map-bad')}</span>}
    </div>
  );
}

function Result({ id, run }: { id: string; run: Run }) {
  const { t } = useTranslation();
  const text = useWords();
  if (run.state === 'failed') return <Alert type="error" showIcon message={run.reason ? text(run.reason) : t('import.state-failed')} />;
  if (run.made === undefined) return run.state === 'stopped' ? <Alert type="warning" showIcon message={t('import.cut')} /> : null;
  const { made, changed, unchanged, refused, accounts } = run;
  const numbers = Object.entries({ made, changed, unchanged, refused, ...(accounts ? { accounts } : {}) });
  return (
    <section className="import-result" data-result={run.state}>
      {run.state === 'stopped' && <Alert type="warning" showIcon message={t('import.cut')} />}
      <dl className="import-numbers">
        {numbers.map(([what, n]) => <div key={what}><dt>{t(`import.${run.dry ? 'would-' : ''}${what}`)}</dt><dd data-count={what}>{n}</dd></div>)}
      </dl>
      {(run.unused?.length ?? 0) > 0 && <p className="q-help">{t('import.unused', { columns: run.unused?.join('、') })}</p>}
      {(run.refusals?.length ?? 0) > 0 && (
        <table className="grid import-refusals">
          <thead><tr><th>{t('import.line')}</th><th>{t('import.reason')}</th></tr></thead>
          <tbody>{run.refusals?.map((r) => <tr key={r.line}><td className="cell-number">{r.line}</td><td>{text(r.reason)}</td></tr>)}</tbody>
        </table>
      )}
      {run.incomplete && <Alert type="error" showIcon message={t('import.incomplete')} />}
      <div className="import-sheets">
        {run.refusedSheet && <Button size="small" icon={<DownloadOutlined />} href={sheetPath(id, 'refused.csv')} download data-sheet="refused.csv">{t('import.refused-sheet')}</Button>}
        {run.passwordsSheet && <Button size="small" icon={<DownloadOutlined />} href={sheetPath(id, 'passwords.csv')} download data-sheet="passwords.csv">{t('import.passwords-sheet')}</Button>}
      </div>
      {run.passwordsSheet && <p className="q-help">{t('import.needs-grant')}</p>}
    </section>
  );
}

/** The choices of a person, and the map they make. */
function useMapping({ table, run }: Import) {
  const [words, setWords] = useState<TableMap>(run.map ?? table.map);
  const [choices, setChoices] = useState(() => choicesOf(table.elements, table.header, run.map));
  const map = mapOf(table.elements, table.header, choices, words);
  const take = (read: TableMap) => { setWords(read); setChoices(choicesOf(table.elements, table.header, read)); };
  return { choices, setChoices, map, take };
}

export function ImportPanel({ one, close, changed }: { one: Import; close: () => void; changed: () => void }) {
  const { t } = useTranslation();
  const text = useWords();
  const errorText = useErrorText();
  const { table, run } = one;
  const { choices, setChoices, map, take } = useMapping(one);
  const [failed, setFailed] = useState<string>();
  const [sending, setSending] = useState(false);
  const busy = isBusy(run) || sending;
  const lacking = missing(table.elements, choices);
  const double = twice(choices);
  const well = lacking.length === 0 && double === undefined;
  const checked = sameMap(run.map, map) && (run.state === 'checked' || run.state === 'imported' || (run.state === 'stopped' && !run.dry));
  const go = async (act: () => Promise<unknown>) => {
    setSending(true);
    setFailed(undefined);
    try {
      await act();
    } catch (error) {
      setFailed(errorText(error));
    } finally {
      setSending(false);
      changed();
    }
  };
  const main = () => void go(() => doImport(table.id, checked ? 'run' : 'check', map));
  useFocusBack();
  useHotkey((e) => e.key === 'F8' && well && !busy, main);
  useHotkey((e) => e.key === 'Escape' && !document.querySelector('.ant-select-open'), close);
  return (
    <aside className="panel panel-large" aria-label={table.name} data-import-panel={run.state}>
      <header className="panel-head">
        <strong title={table.name}>{table.name}</strong>
        <small>{t(`import.${table.kind}`)} · {table.charset}</small>
        <Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('close')} onClick={close} />
      </header>
      <div className="panel-body">
        {isBusy(run) && <Progress percent={Math.floor(100 * (run.done ?? 0) / (run.total || 1))} />}
        {!isBusy(run) && <Result id={table.id} run={run} />}
        <table className="import-elements">
          <thead><tr><th>{t('import.element')}</th><th>{t('import.its-column')}</th><th>{t('import.otherwise')}</th></tr></thead>
          <tbody>{table.elements.map((e) => <ElementRow key={e.code} element={e} table={table} choices={choices} set={setChoices} disabled={busy} />)}</tbody>
        </table>
        <MapFile map={map} name={table.name} take={take} disabled={busy} />
        {lacking.length > 0 && <Alert type="warning" showIcon message={t('import.lacking', { names: table.elements.filter((e) => lacking.includes(e.code)).map(text).join('、') })} />}
        {double !== undefined && <Alert type="warning" showIcon message={t('import.twice', { name: table.header[double] })} />}
        {failed && <Alert type="error" showIcon message={failed} />}
      </div>
      <footer className="panel-foot">
        <Confirm title={t('import.remove-sure')} run={() => void go(async () => { await removeImport(table.id); close(); })}>
          <Button danger icon={<DeleteOutlined />} disabled={sending} data-remove>{t('form.remove')}</Button>
        </Confirm>
        <span className="save q-help">{well && !isBusy(run) && t(checked ? 'import.may-run' : 'import.check-first')}</span>
        {isBusy(run)
          ? <Button onClick={() => void go(() => doImport(table.id, 'stop'))} data-stop>{t('import.stop')}</Button>
          : <Button type="primary" disabled={!well} loading={sending} onClick={main} data-main>{t(checked ? (run.state === 'stopped' ? 'import.go-on' : 'import.run') : 'import.check')}<kbd>F8</kbd></Button>}
      </footer>
    </aside>
  );
}
