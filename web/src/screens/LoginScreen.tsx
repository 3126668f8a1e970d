/** Log-in with a second factor where there is one, the forced change of a first password, the choice among several posts. */
import { useState } from 'react';
import { Alert, Button, Form, Input } from 'antd';
import { LockOutlined, SafetyOutlined, UserOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { PasswordInput } from '../app/inputs.tsx';
import { ApiError } from '../api/http.ts';
import { changePassword, choosePost, lastUsername, logIn, type Post, type Session } from '../api/session.ts';
import { useErrorText } from '../app/parts.tsx';
import { setLanguage } from '../i18n/index.ts';

export function Frame({ title, children }: { title: string; children: React.ReactNode }) {
  const { t, i18n } = useTranslation();
  const other = i18n.language === 'en' ? 'zh-CN' : 'en';
  return (
    <div className="login">
      <div className="login-box">
        <div className="login-head"><img src="./door.svg" alt="" width={40} /><div><h1>{t('app.name')}</h1><small>{t('app.line')}</small></div></div>
        <h2>{title}</h2>
        {children}
        <Button type="link" size="small" onClick={() => setLanguage(other)}>{t('lang.other')}</Button>
      </div>
    </div>
  );
}

/** `note`: why it stands over somebody's work; `other` lets another person in and throws that work's screen away. */
export function LoginScreen({ done, note, other }: { done: (session: Session) => void; note?: string; other?: () => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [asksCode, setAsksCode] = useState(false);
  const known = note ? lastUsername() : '';
  const submit = async ({ username, password, otp }: { username: string; password: string; otp?: string }) => {
    setBusy(true);
    setFailed(undefined);
    try {
      done(await logIn(username.trim(), password, otp?.trim()));
    } catch (error) {
      const asked = error instanceof ApiError && error.refusal.rule === 'factor-needed';
      setAsksCode(asksCode || asked);
      if (!asked || asksCode) setFailed(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Frame title={t('login.title')}>
      {note && <Alert type="info" showIcon message={note} className="login-failed" />}
      <Form onFinish={submit} layout="vertical" requiredMark={false} initialValues={{ username: known }}>
        <Form.Item name="username" rules={[{ required: true, message: t('fault.required') }]}>
          <Input size="large" prefix={<UserOutlined />} placeholder={t('login.username')} aria-label={t('login.username')} autoComplete="username" autoFocus={!known} />
        </Form.Item>
        <Form.Item name="password" rules={[{ required: true, message: t('fault.required') }]}>
          <PasswordInput size="large" prefix={<LockOutlined />} placeholder={t('login.password')} aria-label={t('login.password')} autoComplete="current-password" autoFocus={known !== ''} />
        </Form.Item>
        {asksCode && (
          <Form.Item name="otp" extra={t('login.otp-help')} rules={[{ required: true, message: t('fault.required') }]}>
            <Input size="large" prefix={<SafetyOutlined />} placeholder={t('login.otp')} aria-label={t('login.otp')} autoComplete="one-time-code" maxLength={24} autoFocus data-otp />
          </Form.Item>
        )}
        {failed && <Alert type="error" showIcon message={failed} className="login-failed" />}
        <Button type="primary" size="large" htmlType="submit" block loading={busy} data-login>{t('login.go')}</Button>
        {other && <Button type="link" block onClick={other}>{t('login.other')}</Button>}
      </Form>
    </Frame>
  );
}

export function PasswordScreen({ forced, done, cancel }: { forced: boolean; done: () => void; cancel: () => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (v: { old: string; fresh: string; again: string }) => {
    if (v.fresh !== v.again) { setFailed(t('login.differ')); return; }
    setBusy(true);
    setFailed(undefined);
    try {
      await changePassword(v.old, v.fresh);
      done();
    } catch (error) {
      setFailed(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  const rule = [{ required: true, message: t('fault.required') }];
  return (
    <Frame title={t('login.change')}>
      {forced && <Alert type="info" showIcon message={t('login.must-change')} className="login-failed" />}
      <Form onFinish={submit} layout="vertical" requiredMark={false}>
        <Form.Item name="old" label={t('login.old')} rules={rule}><PasswordInput autoComplete="current-password" autoFocus /></Form.Item>
        <Form.Item name="fresh" label={t('login.new')} rules={rule}><PasswordInput autoComplete="new-password" /></Form.Item>
        <Form.Item name="again" label={t('login.again')} rules={rule}><PasswordInput autoComplete="new-password" /></Form.Item>
        {failed && <Alert type="error" showIcon message={failed} className="login-failed" />}
        <Button type="primary" htmlType="submit" block loading={busy}>{t('login.save')}</Button>
        <Button type="link" block onClick={cancel}>{forced ? t('menu.leave') : t('close')}</Button>
      </Form>
    </Frame>
  );
}

export function PostScreen({ posts, current, done }: { posts: Post[]; current?: string; done: (session: Session | undefined) => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const pick = async (post: Post) => {
    setFailed(undefined);
    try {
      done(post.post === current ? undefined : await choosePost(post.post));
    } catch (error) {
      setFailed(errorText(error));
    }
  };
  return (
    <Frame title={t('login.post')}>
      <div className="posts">
        {posts.map((p, n) => (
          <Button key={p.post} size="large" block autoFocus={n === 0} type={p.post === current ? 'primary' : 'default'} onClick={() => void pick(p)} data-post={p.post}>
            {t(`role.${p.role}`, { defaultValue: p.role })} · {p.organizationName ?? p.organization}
          </Button>
        ))}
      </div>
      {failed && <Alert type="error" showIcon message={failed} />}
    </Frame>
  );
}
