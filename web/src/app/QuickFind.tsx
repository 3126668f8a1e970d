/** The search box in the head of every screen: `/` or F2 puts the cursor there, arrows and Enter open a resident. */
import { useRef, useState } from 'react';
import { Input, type InputRef } from 'antd';
import { SearchOutlined } from './icons.ts';
import { useTranslation } from 'react-i18next';
import { ID_CARD, identifierValue, nameText } from '../logic/fhir.ts';
import { GenderText, useListKeys } from '../screens/FindScreen.tsx';
import { usePatientSearch } from '../screens/usePatientSearch.ts';
import { isTyping, useAgeText, useHotkey } from './parts.tsx';
import { go } from './route.ts';

export function QuickFind() {
  const { t } = useTranslation();
  const age = useAgeText();
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const box = useRef<InputRef>(null);
  const finding = usePatientSearch(open ? text : '');
  const hits = finding.inSight;
  const leave = () => { setOpen(false); setText(''); box.current?.blur(); };
  const choose = (n: number) => {
    const id = hits[n]?.id;
    leave();
    if (id) go({ screen: 'patient', patient: id });
  };
  const { at, setAt, keys } = useListKeys(hits.length, choose);
  useHotkey((e) => e.key === 'F2' || (e.key === '/' && !isTyping(e)), () => box.current?.focus({ cursor: 'all' }));
  const onKey = (e: React.KeyboardEvent) => {
    if (e.key === 'Escape') { leave(); return; }
    if (e.key === 'Enter' && hits.length === 0 && text && !e.nativeEvent.isComposing) {
      go({ screen: 'find', text });
      leave();
      return;
    }
    keys(e);
  };
  return (
    <div className="quick" onBlur={(e) => { if (!e.currentTarget.contains(e.relatedTarget)) setOpen(false); }}>
      <Input ref={box} size="small" prefix={<SearchOutlined />} suffix={<kbd>F2</kbd>} value={text} placeholder={t('find.short')} aria-label={t('find.title')}
        onFocus={() => setOpen(true)} onChange={(e) => { setText(e.target.value); setOpen(true); setAt(0); }} onKeyDown={onKey} />
      {open && text && (
        <ul className="quick-list" role="listbox">
          {hits.map((p, n) => (
            <li key={p.id} role="option" aria-selected={n === at} className={n === at ? 'quick-on' : undefined} onMouseDown={(e) => { e.preventDefault(); choose(n); }}>
              <b>{nameText(p.name)}</b> <GenderText code={p.gender} /> {age(p)} <small>{identifierValue(p, ID_CARD)}</small> <small>{p.address?.[0]?.text}</small>
            </li>
          ))}
          {finding.elsewhere.map((m, n) => <li key={m.patient.id ?? n} className="quick-masked"><b>{nameText(m.patient.name)}</b> <GenderText code={m.patient.gender} /> {m.patient.birthDate?.slice(0, 4)}</li>)}
          {hits.length === 0 && finding.elsewhere.length === 0 && <li className="q-help">{finding.wanted.kind === 'partial' ? t('find.partial') : finding.settled ? t('find.none') : '…'}</li>}
        </ul>
      )}
    </div>
  );
}
