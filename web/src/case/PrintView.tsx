/** The server's page in a frame of its own: seen first, then printed exactly as it stands (A4). */
import { useRef } from 'react';
import { Button } from 'antd';
import { PrinterOutlined } from '../app/icons.ts';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { getPage } from '../api/http.ts';
import { retryable } from '../api/queries.ts';
import type { PrintInfo } from '../api/pathways.ts';
import { Failed, Waiting, useHotkey } from '../app/parts.tsx';
import type { Task } from '../logic/fhir.ts';

export function PrintView({ task, print }: { task: Task; print: PrintInfo }) {
  const { t, i18n } = useTranslation();
  const frame = useRef<HTMLIFrameElement>(null);
  const path = `/print/Task/${task.id}/${encodeURIComponent(print.code)}`;
  const page = useQuery({
    queryKey: ['Task', 'print', path, task.meta?.versionId, i18n.language],
    queryFn: ({ signal }) => getPage(path, signal),
    retry: retryable,
  });
  const run = () => frame.current?.contentWindow?.print();
  useHotkey((e) => e.key === 'F9' || (e.ctrlKey && e.key === 'p'), run);
  if (page.isPending) return <Waiting />;
  if (page.isError) return <Failed error={page.error} again={() => void page.refetch()} />;
  return (
    <div className="print">
      <div className="print-bar">
        <Button type="primary" size="small" icon={<PrinterOutlined />} onClick={run}>{t('print.now')}<kbd>F9</kbd></Button>
        <a href={`${path}?lang=${i18n.language}`} target="_blank" rel="noreferrer">{t('print.window')}</a>
      </div>
      <iframe ref={frame} srcDoc={page.data} title={print.title} className="print-frame" />
    </div>
  );
}
