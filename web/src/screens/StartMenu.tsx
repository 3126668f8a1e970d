/** What this person may begin for this resident, asked of the server when the menu is opened; it opens with the answer, so that the arrows find something to stand on. */
import { useState } from 'react';
import { Button, Dropdown } from 'antd';
import { PlusOutlined } from '../app/icons.ts';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Action, Pathway } from '../api/pathways.ts';
import { startActions } from '../api/queries.ts';
import { isTyping, useHotkey } from '../app/parts.tsx';

interface Choice { pathway: Pathway; action: Action }

async function choicesOf(pathways: Pathway[], patient: string, lang: string, signal: AbortSignal): Promise<Choice[]> {
  const found = await Promise.all(pathways.filter((p) => p.start).map(async (pathway) => (await startActions(pathway.code, patient, lang, signal)).map((action) => ({ pathway, action }))));
  return found.flat();
}

export function StartMenu({ patient, pathways, choose }: { patient: string; pathways: Pathway[]; choose: (c: Choice) => void }) {
  const { t, i18n } = useTranslation();
  const [open, setOpen] = useState(false);
  const choices = useQuery({
    queryKey: ['$actions', patient, i18n.language, pathways.map((p) => p.code).join()],
    queryFn: ({ signal }) => choicesOf(pathways, patient, i18n.language, signal),
    enabled: pathways.length > 0,
    staleTime: 30_000,
  });
  useHotkey((e) => e.key === 'F6' || (e.key === 'n' && !isTyping(e) && !e.ctrlKey && !e.metaKey), () => setOpen(true));
  const list = choices.data ?? [];
  const items = list.length > 0
    ? list.map((c) => ({ key: `${c.pathway.code}/${c.action.code}`, label: c.pathway.title === c.action.title ? c.pathway.title : `${c.pathway.title} · ${c.action.title}` }))
    : [{ key: '', disabled: true, label: choices.isError ? choices.error.message : t('begin.nothing') }];
  const pick = (key: string) => {
    const found = list.find((c) => `${c.pathway.code}/${c.action.code}` === key);
    setOpen(false);
    if (found) choose(found);
  };
  return (
    <Dropdown trigger={['click']} autoFocus open={open && !choices.isPending} onOpenChange={setOpen} menu={{ items, onClick: (e) => pick(e.key) }}>
      <Button size="small" type="primary" icon={<PlusOutlined />} loading={open && choices.isPending} data-begin>{t('begin.title')}<kbd>F6</kbd></Button>
    </Dropdown>
  );
}
