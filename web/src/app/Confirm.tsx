/** "Are you sure": asked beside the button; the focus comes with the question, Esc says no, and the focus goes back. */
import { useEffect, useRef, useState } from 'react';
import { Button, Popover } from 'antd';
import { useTranslation } from 'react-i18next';
import { useEscapeFirst, useFocusBack } from './parts.tsx';

function Question({ title, run, close }: { title: string; run: () => void; close: () => void }) {
  const { t } = useTranslation();
  useFocusBack();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => { box.current?.querySelector('button')?.focus({ preventScroll: true }); }, []);
  useEscapeFirst(close);
  return (
    <div ref={box} className="confirm" role="alertdialog" aria-label={title} onBlur={(e) => { if (e.relatedTarget && !e.currentTarget.contains(e.relatedTarget)) close(); }}>
      <p>{title}</p>
      <Button size="small" onClick={close}>{t('no')}</Button>
      <Button size="small" type="primary" onClick={() => { close(); run(); }}>{t('yes')}</Button>
    </div>
  );
}

export function Confirm({ title, run, children }: { title: string; run: () => void; children: React.ReactElement }) {
  const [open, setOpen] = useState(false);
  return (
    <Popover trigger="click" open={open} onOpenChange={setOpen} destroyOnHidden content={<Question title={title} run={run} close={() => setOpen(false)} />}>
      {children}
    </Popover>
  );
}
