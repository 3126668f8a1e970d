/** The forms of the accounts' screen: a new account, another post, and a password that is shown once. */
import { useState } from 'react';
import { Alert, Button, Form, Input, Select } from 'antd';
import { CloseOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { changeAccount, createAccount, type AccountAnswer, type NewAccount } from '../api/accounts.ts';
import { useSearch } from '../api/queries.ts';
import { useErrorText, useFocusBack, useHotkey } from '../app/parts.tsx';
import type { Resource } from '../logic/fhir.ts';
import { OTHER_ROLES, POST_ROLES } from './accountWords.ts';

interface Organization extends Resource { name?: string }

export function OrganizationSelect(props: { value?: string; onChange?: (value: string) => void; id?: string }) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const query = `active=true&_count=50&_sort=name&_elements=name${text ? `&name:contains=${encodeURIComponent(text)}` : ''}`;
  const found = useSearch<Organization>('Organization', query);
  return (
    <Select {...props} showSearch filterOption={false} onSearch={setText} loading={found.isFetching} placeholder={t('account.organization')} aria-label={t('account.organization')}
      options={(found.data ?? []).map((o) => ({ value: `Organization/${o.id}`, label: o.name ?? o.id }))} />
  );
}

/** Shown once: it is nowhere else, and gone with the panel. */
export function OncePassword({ username, password }: { username: string; password: string }) {
  const { t } = useTranslation();
  return (
    <Alert type="success" showIcon className="account-once" message={t('account.once')}
      description={<code data-password>{`${username}  ${password}`}</code>} />
  );
}

function useSending<T>(send: (values: T) => Promise<AccountAnswer>, sent: (answer: AccountAnswer) => void) {
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (values: T) => {
    setBusy(true);
    setFailed(undefined);
    try {
      sent(await send(values));
    } catch (error) {
      setFailed(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  return { failed, busy, submit };
}

export function NewAccountForm({ close, changed }: { close: () => void; changed: () => void }) {
  const { t } = useTranslation();
  const [form] = Form.useForm<NewAccount>();
  const [made, setMade] = useState<AccountAnswer>();
  const role = Form.useWatch('role', form);
  const { failed, busy, submit } = useSending<NewAccount>(createAccount, (answer) => { setMade(answer); form.resetFields(); changed(); });
  useFocusBack();
  useHotkey((e) => e.key === 'F8', () => form.submit());
  useHotkey((e) => e.key === 'Escape' && !(e.target as HTMLElement).closest('.ant-select-open'), close);
  const rules = [{ required: true, message: t('fault.required') }];
  const group = (title: string, roles: string[]) => ({ label: title, title, options: roles.map((r) => ({ value: r, label: t(`role.${r}`) })) });
  return (
    <aside className="panel" aria-label={t('account.new')}>
      <header className="panel-head"><strong>{t('account.new')}</strong><Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('close')} onClick={close} /></header>
      <Form form={form} layout="vertical" requiredMark={false} onFinish={(v) => void submit(v)} className="panel-body" data-account-form>
        {made?.password && <OncePassword username={made.account.username} password={made.password} />}
        {made && <p className="q-help">{t('account.needs-grant')}</p>}
        <Form.Item name="name" label={t('account.col-name')} rules={rules}><Input autoFocus autoComplete="off" maxLength={100} /></Form.Item>
        <Form.Item name="username" label={t('account.col-username')} rules={[...rules, { pattern: /^[\w.-]{1,64}$/, message: t('account.username-rule') }]}><Input autoComplete="off" /></Form.Item>
        <Form.Item name="role" label={t('account.role')} rules={rules}>
          <Select showSearch optionFilterProp="label" options={[group(t('account.posts'), POST_ROLES), group(t('account.others'), OTHER_ROLES)]} />
        </Form.Item>
        {(!role || POST_ROLES.includes(role)) && <Form.Item name="organization" label={t('account.organization')} rules={rules}><OrganizationSelect /></Form.Item>}
        {failed && <Alert type="error" showIcon message={failed} />}
        <Button type="primary" htmlType="submit" loading={busy} block data-create>{t('account.create')}<kbd>F8</kbd></Button>
      </Form>
    </aside>
  );
}

export function NewPostForm({ username, sent }: { username: string; sent: (answer: AccountAnswer) => void }) {
  const { t } = useTranslation();
  const [form] = Form.useForm<{ role: string; organization: string }>();
  const { failed, busy, submit } = useSending<{ role: string; organization: string }>(
    (values) => changeAccount(username, 'propose-post', { ...values }), (answer) => { form.resetFields(); sent(answer); });
  const rules = [{ required: true, message: t('fault.required') }];
  return (
    <Form form={form} layout="vertical" requiredMark={false} onFinish={(v) => void submit(v)} className="account-post-form">
      <Form.Item name="role" rules={rules}><Select placeholder={t('account.role')} aria-label={t('account.role')} options={POST_ROLES.map((r) => ({ value: r, label: t(`role.${r}`) }))} /></Form.Item>
      <Form.Item name="organization" rules={rules}><OrganizationSelect /></Form.Item>
      {failed && <Alert type="error" showIcon message={failed} />}
      <Button htmlType="submit" loading={busy} block data-propose>{t('account.propose-post')}</Button>
    </Form>
  );
}
