/** The drawings of a case: one at a time, large; the viewer is chosen by the kind of the medium, never by the case. */
import { Suspense, lazy, useState } from 'react';
import { Segmented } from 'antd';
import { useTranslation } from 'react-i18next';
import { Waiting } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { localReference, type Task } from '../logic/fhir.ts';
import type { Medium } from '../logic/media.ts';

const Recording = lazy(() => import('./RecordingView.tsx'));

export function mediumLabel(medium: Medium): string {
  return [medium.title, timeText(medium.at).slice(5)].filter(Boolean).join(' · ');
}

function binaryAddress(medium: Medium): string {
  return `/fhir/${localReference(medium.files[0]?.url) ?? ''}`;
}

function Picture({ medium }: { medium: Medium }) {
  const [zoom, setZoom] = useState(1);
  const turn = (e: React.WheelEvent) => { if (e.ctrlKey) setZoom((z) => Math.min(8, Math.max(0.25, z * (e.deltaY < 0 ? 1.15 : 0.87)))); };
  return <div className="picture" onWheel={turn}><img src={binaryAddress(medium)} alt={medium.title} style={{ width: `${zoom * 100}%` }} /></div>;
}

function Drawing({ task, medium }: { task?: Task; medium: Medium }) {
  if (medium.kind === 'image') return <Picture medium={medium} />;
  if (medium.kind === 'pdf') return <iframe className="print-frame" src={binaryAddress(medium)} title={medium.title} />;
  return <Suspense fallback={<Waiting />}><Recording task={task} medium={medium} /></Suspense>;
}

export function MediaView({ task, media }: { task?: Task; media: Medium[] }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string>();
  const medium = media.find((m) => m.key === chosen) ?? media[0];
  if (!medium) return <p className="q-help">{t('media.none')}</p>;
  return (
    <div className="media">
      {media.length > 1 && (
        <Segmented size="small" value={medium.key} onChange={(v) => setChosen(String(v))} options={media.map((m) => ({ value: m.key, label: mediumLabel(m) }))} />
      )}
      <Drawing key={medium.key} task={task} medium={medium} />
    </div>
  );
}
