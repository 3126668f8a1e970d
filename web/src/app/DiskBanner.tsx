/** The disk that fills, on every screen of an administrator: what it is, how much is left, what to do. */
import { Alert } from 'antd';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { readHealth } from '../api/system.ts';
import { retryable } from '../api/queries.ts';

const LOOK_MS = 60_000;

/** GiB with one decimal, as disks are sold and bought. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function useHealth() {
  return useQuery({ queryKey: ['health'], queryFn: ({ signal }) => readHealth(signal), refetchInterval: LOOK_MS, retry: retryable });
}

export function DiskBanner() {
  const { t } = useTranslation();
  const disk = useHealth().data?.disk;
  if (!disk?.low) return null;
  const values = { free: gib(disk.freeBytes), total: gib(disk.totalBytes), low: gib(disk.lowBytes) };
  return <Alert banner type="error" message={t('disk.low', values)} description={t('disk.do')} role="alert" data-disk-low />;
}
