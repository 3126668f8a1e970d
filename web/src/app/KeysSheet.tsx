/** `?` lists the keys of the workstation; Esc or `?` puts the list away. */
import { useEffect, useRef, useState } from 'react';
import { Button } from 'antd';
import { CloseOutlined, QuestionCircleOutlined } from './icons.ts';
import { useTranslation } from 'react-i18next';
import type { Words } from '../i18n/zh.ts';
import { isTyping, useEscapeFirst, useFocusBack, useHotkey } from './parts.tsx';

const KEYS: [string, keyof Words][] = [
  ['F2 /', 'keys.find'], ['F3', 'keys.register'], ['F6 n', 'keys.begin'], ['F4', 'keys.main'], ['F8 · Ctrl+Enter', 'keys.send'],
  ['Esc', 'keys.close'], ['Alt+1 … 9', 'keys.phrase'], ['↑ ↓ Enter', 'keys.list'], ['Alt+↑ · Alt+↓', 'keys.queue'], ['F9', 'keys.print'], ['?', 'keys.help'],
];

function Sheet({ close }: { close: () => void }) {
  const { t } = useTranslation();
  useFocusBack();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.focus();
  }, []);
  useEscapeFirst(close);
  return (
    <div className="keys-sheet" role="dialog" aria-label={t('keys.title')} tabIndex={-1} ref={box}>
      <header><b>{t('keys.title')}</b><Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('close')} onClick={close} /></header>
      <dl>{KEYS.map(([key, words]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(words)}</dd></div>)}</dl>
    </div>
  );
}

export function KeysSheet() {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  useHotkey((e) => e.key === '?' && !isTyping(e), () => setOpen((on) => !on));
  return (
    <>
      <Button type="text" size="small" icon={<QuestionCircleOutlined />} title={`${t('keys.title')} ?`} aria-label={t('keys.title')} onClick={() => setOpen(true)} data-keys />
      {open && <Sheet close={() => setOpen(false)} />}
    </>
  );
}
