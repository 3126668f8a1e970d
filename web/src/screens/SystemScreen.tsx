/** The state of the program and its disk, the switch of the ECG, and the index. */
import { Alert, Button, Descriptions, Progress } from 'antd';
import { useTranslation } from 'react-i18next';
import { gib, useHealth } from '../app/DiskBanner.tsx';
import { Failed, Waiting } from '../app/parts.tsx';
import { DiagnosisSection, LABEL_WIDTH } from './DiagnosisSection.tsx';
import { IndexSection } from './IndexSection.tsx';

export default function SystemScreen({ role }: { role: string }) {
  const { t } = useTranslation();
  const health = useHealth();
  const disk = health.data?.disk;
  const used = disk ? Math.round((1 - disk.freeBytes / disk.totalBytes) * 100) : 0;
  return (
    <div className="screen worklist" data-system>
      <div className="worklist-head"><h2>{t('system.title')}</h2><Button size="small" loading={health.isFetching} onClick={() => void health.refetch()}>{t('again')}</Button></div>
      {health.isError && <Failed error={health.error} again={() => void health.refetch()} />}
      {health.isPending && <Waiting />}
      {health.data && (
        <Descriptions column={1} size="small" bordered styles={{ label: { width: LABEL_WIDTH } }} items={[
          { key: 'state', label: t('system.state'), children: t('system.ok') },
          { key: 'version', label: t('system.version'), children: health.data.version },
          { key: 'seq', label: t('system.seq'), children: String(health.data.seq) },
          ...(disk ? [
            { key: 'free', label: t('system.free'), children: <span data-disk-free>{t('system.of', { free: gib(disk.freeBytes), total: gib(disk.totalBytes) })}</span> },
            { key: 'used', label: t('system.used'), children: <Progress percent={used} status={disk.low ? 'exception' : 'normal'} /> },
            { key: 'low', label: t('system.low'), children: gib(disk.lowBytes) },
          ] : []),
        ]} />
      )}
      {health.data && !disk && <Alert type="warning" showIcon message={t('system.no-disk')} />}
      <DiagnosisSection mayChange={role === 'system-administrator'} />
      {role === 'system-administrator' && <IndexSection />}
    </div>
  );
}
