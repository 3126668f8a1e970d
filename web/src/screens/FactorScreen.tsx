/** Enrolling a second factor: the password again, a picture for the telephone, its first code, recovery codes shown once. */
import { useState } from 'react';
import { Alert, Button, Form, Input, QRCode } from 'antd';
import { useTranslation } from 'react-i18next';
import { PasswordInput } from '../app/inputs.tsx';
import { beginFactor, confirmFactor, type FactorOffer } from '../api/accounts.ts';
import { useErrorText } from '../app/parts.tsx';
import { Frame } from './LoginScreen.tsx';

type Stage = { offer?: FactorOffer; recovery?: string[] };

function Offered({ offer }: { offer: FactorOffer }) {
  const { t } = useTranslation();
  return (
    <>
      <p className="q-help">{t('factor.scan')}</p>
      <div className="factor-code" data-uri={offer.uri}><QRCode value={offer.uri} size={196} bordered={false} /></div>
      <p className="q-help">{t('factor.by-hand')} <code data-secret>{offer.secret.replace(/(.{4})/g, '$1 ').trim()}</code></p>
    </>
  );
}

function Recovery({ codes, done }: { codes: string[]; done: () => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Alert type="warning" showIcon message={t('factor.recovery')} className="login-failed" />
      <ul className="factor-recovery">{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
      <Button block onClick={() => window.print()}>{t('print.now')}</Button>
      <Button type="primary" block autoFocus onClick={done} data-recovery-kept>{t('factor.kept')}</Button>
    </>
  );
}

export default function FactorScreen({ forced, done, cancel }: { forced: boolean; done: () => void; cancel: () => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [stage, setStage] = useState<Stage>({});
  const [failed, setFailed] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async ({ password, otp }: { password?: string; otp?: string }) => {
    setBusy(true);
    setFailed(undefined);
    try {
      setStage(stage.offer ? { recovery: await confirmFactor((otp ?? '').trim()) } : { offer: await beginFactor(password ?? '') });
    } catch (error) {
      setFailed(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  const rules = [{ required: true, message: t('fault.required') }];
  return (
    <Frame title={t('factor.title')}>
      {forced && !stage.recovery && <Alert type="info" showIcon message={t('factor.must')} className="login-failed" />}
      {stage.recovery ? <Recovery codes={stage.recovery} done={done} /> : (
        <Form onFinish={submit} layout="vertical" requiredMark={false}>
          {stage.offer && <Offered offer={stage.offer} />}
          {stage.offer
            ? <Form.Item key="otp" name="otp" label={t('factor.first-code')} rules={rules}><Input inputMode="numeric" autoComplete="one-time-code" maxLength={6} autoFocus /></Form.Item>
            : <Form.Item key="password" name="password" label={t('login.old')} rules={rules}><PasswordInput autoComplete="current-password" autoFocus /></Form.Item>}
          {failed && <Alert type="error" showIcon message={failed} className="login-failed" />}
          <Button type="primary" htmlType="submit" block loading={busy} data-factor>{t(stage.offer ? 'factor.confirm' : 'factor.begin')}</Button>
          <Button type="link" block onClick={cancel}>{forced ? t('menu.leave') : t('close')}</Button>
        </Form>
      )}
    </Frame>
  );
}
