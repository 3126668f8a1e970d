/**
 * Files: chosen or dropped, sent at once as Binary in the patient's name, answered with address, title, size and type.
 * Each row says honestly where its file stands: on its way with a number, at the county, or refused with the reason.
 */
import { useRef, useState } from 'react';
import { Button, Progress } from 'antd';
import { DeleteOutlined, InboxOutlined, RedoOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { ApiError, uploadBinary } from '../api/http.ts';
import { dateTimeOf } from '../logic/clock.ts';
import { serverNow } from '../api/session.ts';
import { extensionValue, valueOf, type Attachment } from '../logic/fhir.ts';
import { answerOf, type Answer } from '../logic/questionnaire.ts';
import { useAnswers, useForm, type FieldProps } from './context.ts';
import { mediaTypeOf } from '../logic/media.ts';

interface Sending { key: string; file: File; share: number; refused?: string }

export function sizeText(bytes: number | undefined): string {
  if (bytes === undefined) return '';
  return bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

export function AttachmentField({ item, path }: FieldProps) {
  const { t } = useTranslation();
  const form = useForm();
  const [answers, set] = useAnswers(path);
  const [sending, setSending] = useState<Sending[]>([]);
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const current = useRef<Answer[]>(answers);
  current.current = answers;

  const publish = (next: Answer[]) => {
    current.current = next;
    set(next);
    form.onFiles?.(item, next.map((a) => valueOf(a) as Attachment));
  };
  const patch = (key: string, change: Partial<Sending>) => setSending((all) => all.map((s) => (s.key === key ? { ...s, ...change } : s)));
  const refusalText = (error: unknown) => {
    if (error instanceof ApiError) return error.status === 0 ? t('save.unreached') : error.message;
    return String(error);
  };

  const send = async (key: string, file: File) => {
    form.busy(key, true);
    const type = mediaTypeOf(file.name, file.type);
    try {
      const done = await uploadBinary(file, type, form.patient, (share) => patch(key, { share }));
      const attachment: Attachment = {
        contentType: done.contentType ?? type, url: `Binary/${done.id}`, size: file.size, title: file.name, creation: dateTimeOf(serverNow()),
      };
      setSending((all) => all.filter((s) => s.key !== key));
      publish([...(item.repeats ? current.current : []), answerOf('attachment', attachment)]);
    } catch (error) {
      patch(key, { refused: refusalText(error) });
    } finally {
      form.busy(key, false);
    }
  };

  const take = (files: FileList | null) => {
    const megabytes = extensionValue(item, 'maxSize') as number | undefined;
    const limit = megabytes === undefined ? undefined : megabytes * 1048576;
    for (const file of [...(files ?? [])].slice(0, item.repeats ? undefined : 1)) {
      const key = `${file.name}-${file.size}-${Math.random()}`;
      const refused = limit !== undefined && file.size > limit ? t('fault.too-large', { limit: sizeText(limit) }) : undefined;
      setSending((all) => [...all, { key, file, share: 0, refused }]);
      if (!refused) void send(key, file);
    }
  };

  return (
    <div className="files">
      <div
        className={over ? 'files-drop files-over' : 'files-drop'} role="button" tabIndex={0} id={`f-${path}`}
        onClick={() => input.current?.click()} onKeyDown={(e) => { if (e.key === 'Enter' || e.key === ' ') input.current?.click(); }}
        onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}
        onDrop={(e) => { e.preventDefault(); setOver(false); take(e.dataTransfer.files); }}
      >
        <InboxOutlined /> {item.repeats ? t('files.drop-several') : t('files.drop')}
      </div>
      <input ref={input} type="file" hidden multiple={item.repeats} disabled={form.disabled} onChange={(e) => { take(e.target.files); e.target.value = ''; }} />
      {answers.map((answer, n) => {
        const file = valueOf(answer) as Attachment;
        return (
          <div key={file.url ?? n} className="files-row">
            <span className="files-name">{file.title ?? file.url}</span><small>{sizeText(file.size)}</small>
            <span className="save save-county">{t('save.county')}</span>
            <Button type="text" size="small" icon={<DeleteOutlined />} aria-label={t('form.remove')} onClick={() => publish(answers.filter((_, m) => m !== n))} />
          </div>
        );
      })}
      {sending.map((s) => (
        <div key={s.key} className="files-row">
          <span className="files-name">{s.file.name}</span>
          {s.refused
            ? <span className="save save-refused">{t('save.refused', { why: s.refused })}</span>
            : <Progress percent={Math.floor(s.share * 100)} size="small" className="files-progress" />}
          {s.refused && <Button type="text" size="small" icon={<RedoOutlined />} aria-label={t('again')} onClick={() => { patch(s.key, { refused: undefined, share: 0 }); void send(s.key, s.file); }} />}
          {s.refused && <Button type="text" size="small" icon={<DeleteOutlined />} aria-label={t('form.remove')} onClick={() => setSending((all) => all.filter((x) => x.key !== s.key))} />}
        </div>
      ))}
    </div>
  );
}
