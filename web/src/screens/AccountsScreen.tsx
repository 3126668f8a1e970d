/** Accounts: found, made and changed; each administrator is offered what the own role may do, nothing else. */
import { useEffect, useRef, useState } from 'react';
import { Button, Input, Pagination, Select, Tag } from 'antd';
import { UserAddOutlined } from '../app/icons.ts';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { PAGE, listAccounts, type Account, type AccountsAsked } from '../api/accounts.ts';
import { retryable } from '../api/queries.ts';
import { ClearIcon } from '../app/inputs.tsx';
import { Failed, Waiting, useHotkey } from '../app/parts.tsx';
import { AccountPanel } from './AccountPanel.tsx';
import { NewAccountForm } from './AccountForms.tsx';
import { useListKeys } from './FindScreen.tsx';
import { ROLES, STATES, STATE_COLORS } from './accountWords.ts';
import './accounts.css';

const NOTHING: AccountsAsked = { text: '', state: '', role: '', offset: 0 };

/** What is asked for a moment after the last key. */
function useSettled(asked: AccountsAsked): AccountsAsked {
  const [settled, setSettled] = useState(asked);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(asked), 200);
    return () => clearTimeout(timer);
  }, [asked]);
  return settled;
}

function AccountRow({ account, on, open }: { account: Account; on: boolean; open: () => void }) {
  const { t } = useTranslation();
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => { if (on) line.current?.scrollIntoView({ block: 'nearest' }); }, [on]);
  const posts = account.posts.filter((p) => p.state !== 'ended');
  const where = posts.length > 0
    ? posts.map((p) => `${t(`role.${p.role}`, { defaultValue: p.role })} · ${p.organizationName ?? p.organization}`).join('；')
    : t(`role.${account.role}`, { defaultValue: account.role });
  return (
    <tr ref={line} className={on ? 'row row-on' : 'row'} aria-selected={on} onClick={open} data-account={account.username}>
      <td>{account.username}</td>
      <td className="cell-name">{account.name}</td>
      <td className="cell-what" title={where}>{where}</td>
      <td><Tag color={STATE_COLORS[account.state]}>{t(`account.${account.state}`)}</Tag>{account.locked && <Tag color="red">{t('account.locked')}</Tag>}</td>
      <td>{t(account.factor ? 'account.factor-on' : 'account.factor-off')}</td>
      <td className="cell-number">{account.created.slice(0, 10)}</td>
    </tr>
  );
}

function Filters({ asked, ask, keys, box }: { asked: AccountsAsked; ask: (next: AccountsAsked) => void; keys: (e: React.KeyboardEvent) => void; box: React.RefObject<HTMLDivElement> }) {
  const { t } = useTranslation();
  const option = (value: string, label: string) => ({ value, label });
  return (
    <div className="accounts-bar" ref={box}>
      <Input value={asked.text} allowClear={{ clearIcon: <ClearIcon /> }} autoFocus placeholder={t('account.find')} aria-label={t('account.find')} data-find-account onKeyDown={keys}
        onChange={(e) => ask({ ...asked, text: e.target.value, offset: 0 })} />
      <Select value={asked.state} aria-label={t('col.state')} onChange={(state: string) => ask({ ...asked, state, offset: 0 })}
        options={[option('', t('account.any-state')), ...STATES.map((s) => option(s, t(`account.${s}`)))]} />
      <Select value={asked.role} aria-label={t('account.role')} onChange={(role: string) => ask({ ...asked, role, offset: 0 })}
        options={[option('', t('account.any-role')), ...ROLES.map((r) => option(r, t(`role.${r}`)))]} />
    </div>
  );
}

export default function AccountsScreen() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [asked, ask] = useState(NOTHING);
  const [chosen, setChosen] = useState<string>();
  const [making, setMaking] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const settled = useSettled(asked);
  const page = useQuery({
    queryKey: ['accounts', settled], queryFn: ({ signal }) => listAccounts(settled, signal), placeholderData: keepPreviousData, retry: retryable,
  });
  const rows = page.data?.accounts ?? [];
  const may = new Set(page.data?.may);
  const open = (n: number) => { if (rows[n]) { setMaking(false); setChosen(rows[n].username); } };
  const { at, keys } = useListKeys(rows.length, open);
  useHotkey((e) => e.key === 'F2', () => box.current?.querySelector('input')?.focus());
  useHotkey((e) => e.key === 'F3' && may.has('create'), () => { setChosen(undefined); setMaking(true); });
  const changed = () => void client.invalidateQueries({ queryKey: ['accounts'] });
  return (
    <div className="beside accounts">
      <div className="screen worklist">
        <div className="worklist-head">
          <h2>{t('account.title')}</h2>
          <span className="q-help">{page.data && t('account.count', { n: page.data.total })}</span>
          {may.has('create') && (
            <Button type="primary" icon={<UserAddOutlined />} onClick={() => { setChosen(undefined); setMaking(true); }} data-new-account>{t('account.new')}<kbd>F3</kbd></Button>
          )}
        </div>
        <Filters asked={asked} ask={ask} keys={keys} box={box} />
        {page.isError && <Failed error={page.error} again={() => void page.refetch()} />}
        {page.isPending && <Waiting />}
        {page.data && rows.length === 0 && <p className="empty">{t('account.none')}</p>}
        {rows.length > 0 && (
          <div tabIndex={0} onKeyDown={keys} className="rows" role="group" aria-label={t('account.title')}>
            <table className="grid">
              <thead><tr>{['username', 'name', 'posts', 'state', 'factor', 'created'].map((c) => <th key={c}>{t(`account.col-${c}`)}</th>)}</tr></thead>
              <tbody>{rows.map((a, n) => <AccountRow key={a.username} account={a} on={n === at} open={() => open(n)} />)}</tbody>
            </table>
          </div>
        )}
        {page.data && page.data.total > PAGE && (
          <Pagination size="small" pageSize={PAGE} showSizeChanger={false} total={page.data.total} current={asked.offset / PAGE + 1}
            onChange={(n) => ask({ ...asked, offset: (n - 1) * PAGE })} />
        )}
      </div>
      {making && <NewAccountForm close={() => setMaking(false)} changed={changed} />}
      {chosen && !making && <AccountPanel key={chosen} username={chosen} may={may} close={() => setChosen(undefined)} changed={changed} />}
    </div>
  );
}
