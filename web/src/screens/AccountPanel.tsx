/** One account in the right panel: its posts, sessions and failed log-ins, and what this administrator may do with it. */
import { useState } from 'react';
import { Alert, Button, Tag } from 'antd';
import { CloseOutlined } from '../app/icons.ts';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { changeAccount, readAccount, type Account, type AccountAnswer, type AccountPost } from '../api/accounts.ts';
import { retryable } from '../api/queries.ts';
import { Confirm } from '../app/Confirm.tsx';
import { Failed, Waiting, useErrorText, useFocusBack, useHotkey } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { NewPostForm, OncePassword } from './AccountForms.tsx';
import { STATE_COLORS } from './accountWords.ts';

type Do = (what: string, body?: Record<string, string>) => void;

/** What can be done with an account as it is now. */
function offered(account: Account, may: Set<string>): string[] {
  const fits: Record<string, boolean> = {
    enable: account.state === 'disabled', disable: account.state !== 'disabled', 'reset-password': true, 'reset-factor': account.factor,
    'end-sessions': (account.sessions?.length ?? 0) > 0, unlock: account.locked,
  };
  return Object.keys(fits).filter((what) => fits[what] && may.has(what));
}

function PostRow({ post, may, run, busy }: { post: AccountPost; may: Set<string>; run: Do; busy: boolean }) {
  const { t } = useTranslation();
  const ended = post.state === 'ended';
  return (
    <li className={ended ? 'account-post account-ended' : 'account-post'} data-post-state={post.state}>
      <span>{t(`role.${post.role}`, { defaultValue: post.role })} · {post.organizationName ?? post.organization}</span>
      <Tag color={STATE_COLORS[post.state]}>{t(`account.post-${post.state}`)}</Tag>
      {post.state === 'proposed' && may.has('grant-post') && (
        <Button size="small" type="primary" disabled={busy} onClick={() => run('grant-post', { post: post.post })} data-grant>{t('account.grant-post')}</Button>
      )}
      {!ended && may.has('end-post') && (
        <Confirm title={t('account.end-post-sure')} run={() => run('end-post', { post: post.post })}>
          <Button size="small" danger disabled={busy}>{t('account.end-post')}</Button>
        </Confirm>
      )}
    </li>
  );
}

function Traces({ account }: { account: Account }) {
  const { t } = useTranslation();
  return (
    <>
      <h4>{t('account.sessions')}</h4>
      {(account.sessions ?? []).length === 0 && <p className="q-help">{t('none')}</p>}
      <ul className="account-list">
        {account.sessions?.map((s) => <li key={`${s.since}${s.post ?? ''}`}>{t('account.session', { since: timeText(s.since), seen: timeText(s.seen) })}</li>)}
      </ul>
      <h4>{t('account.failures')}</h4>
      {(account.failures ?? []).length === 0 && <p className="q-help">{t('none')}</p>}
      <ul className="account-list">
        {account.failures?.map((f) => (
          <li key={f.address}>{t('account.failure', { address: f.address, n: f.count })} {f.lockedUntil && <Tag color="red">{t('account.locked-until', { at: timeText(f.lockedUntil) })}</Tag>}</li>
        ))}
      </ul>
    </>
  );
}

export function AccountPanel({ username, may, close, changed }: { username: string; may: Set<string>; close: () => void; changed: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const errorText = useErrorText();
  const key = ['accounts', 'one', username];
  const account = useQuery({ queryKey: key, queryFn: ({ signal }) => readAccount(username, signal), retry: retryable });
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string>();
  const [password, setPassword] = useState<string>();
  useFocusBack();
  useHotkey((e) => e.key === 'Escape' && !(e.target as HTMLElement).closest('.ant-select-open'), close);
  const take = (answer: AccountAnswer) => {
    setPassword(answer.password);
    client.setQueryData(key, answer.account);
    changed();
  };
  const run: Do = (what, body) => {
    setBusy(true);
    setFailed(undefined);
    changeAccount(username, what, body).then(take, (error: unknown) => setFailed(errorText(error))).finally(() => setBusy(false));
  };
  const data = account.data;
  return (
    <aside className="panel" aria-label={username}>
      <header className="panel-head">
        <strong>{data?.name ?? username} <small>{username}</small></strong>
        <Button type="text" size="small" icon={<CloseOutlined />} title="Esc" aria-label={t('close')} onClick={close} />
      </header>
      <div className="panel-body">
        {account.isPending && <Waiting />}
        {account.isError && <Failed error={account.error} again={() => void account.refetch()} />}
        {password && <OncePassword username={username} password={password} />}
        {failed && <Alert type="error" showIcon message={failed} />}
        {data && (
          <>
            <p><Tag color={STATE_COLORS[data.state]} data-state={data.state}>{t(`account.${data.state}`)}</Tag>{data.locked && <Tag color="red">{t('account.locked')}</Tag>}
              {t(data.factor ? 'account.factor-on-long' : 'account.factor-off-long')}</p>
            <h4>{t('account.posts')}</h4>
            {data.posts.length === 0 && <p className="q-help">{t(`role.${data.role}`, { defaultValue: data.role })}</p>}
            <ul className="account-list">{data.posts.map((p) => <PostRow key={p.post} post={p} may={may} run={run} busy={busy} />)}</ul>
            {data.practitioner && may.has('propose-post') && <NewPostForm username={username} sent={take} />}
            <div className="account-doings">
              {offered(data, may).map((what) => (
                <Confirm key={what} title={t(`account.${what}-sure`)} run={() => run(what)}>
                  <Button danger={what === 'disable'} disabled={busy} data-do={what}>{t(`account.${what}`)}</Button>
                </Confirm>
              ))}
            </div>
            <Traces account={data} />
          </>
        )}
      </div>
    </aside>
  );
}
