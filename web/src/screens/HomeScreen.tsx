/**
 * The day at a glance: one search box, and this person's lists with their first rows: alerts, then what waits for this
 * institution, then what it sent to others; empty lists last.
 */
import { Suspense, lazy } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from 'antd';
import { SearchOutlined, UserAddOutlined } from '../app/icons.ts';
import type { ListInfo, Pathway } from '../api/pathways.ts';
import type { User } from '../api/session.ts';
import { CaseClock, Failed, StateTag, UrgencyTag, Waiting } from '../app/parts.tsx';
import { go, routeText } from '../app/route.ts';
import { nameText } from '../logic/fhir.ts';
import { HomeFigures, watchesFigures } from './HomeFigures.tsx';
import { openCase } from './WorkListScreen.tsx';
import { useWorkLists } from './useWorkList.ts';

const SystemScreen = lazy(() => import('./SystemScreen.tsx'));

const ROWS = 6;

type Found = ReturnType<typeof useWorkLists>[number];

function rank(list: ListInfo, found: Found): number {
  const kind = list.alert ? 0 : /(^|&)owner=/.test(list.query) ? 1 : 2;
  return kind + (found.data?.rows.length ? 0 : 3);
}

function ListCard({ list, pathway, pathways, data }: { list: ListInfo; pathway: Pathway; pathways: Pathway[]; data: Found }) {
  const { t } = useTranslation();
  const rows = data.data?.rows ?? [];
  return (
    <section className="card">
      <a className="card-head" href={routeText({ screen: 'list', pathway: list.pathway, list: list.code })}>
        <span><small>{pathway.title}</small><b>{list.title}</b></span>
        <span className="card-count">{data.data ? `${rows.length}${data.data.more ? '+' : ''}` : '…'}</span>
      </a>
      {data.isError && <Failed error={data.error} />}
      {data.data && rows.length === 0 && <p className="q-help">{t('list.empty')}</p>}
      {rows.slice(0, ROWS).map((row) => (
        <button type="button" key={row.task.id} className="card-row" onClick={() => openCase(row, `${list.pathway}/${list.code}`)}>
          <UrgencyTag priority={row.task.priority} /><b>{row.patient ? nameText(row.patient.name) : row.task.for?.display}</b>
          <StateTag task={row.task} pathways={pathways} /><span className="card-what" title={row.task.description}>{row.task.description}</span><CaseClock task={row.task} />
        </button>
      ))}
    </section>
  );
}

export function HomeScreen({ user, pathways }: { user: User; pathways: Pathway[] }) {
  const { t } = useTranslation();
  const lists = pathways.flatMap((p) => p.lists.map((list) => ({ list, pathway: p })));
  const found = useWorkLists(lists.map((l) => l.list));
  if (user.role.endsWith('-administrator')) return <Suspense fallback={<Waiting />}><p className="home-note">{t('home.administrator')}</p><SystemScreen role={user.role} /></Suspense>;
  const cards = lists.map((l, n) => ({ ...l, data: found[n] as Found })).sort((a, b) => rank(a.list, a.data) - rank(b.list, b.data));
  return (
    <div className="screen home">
      <div className="home-bar">
        <Button size="large" icon={<SearchOutlined />} onClick={() => go({ screen: 'find', text: '' })}>{t('find.title')}<kbd>F2</kbd></Button>
        <Button size="large" icon={<UserAddOutlined />} onClick={() => go({ screen: 'register', text: '' })}>{t('register.title')}<kbd>F3</kbd></Button>
      </div>
      {watchesFigures(user) && <HomeFigures />}
      {cards.length === 0 && <p className="empty">{t('home.no-lists')}</p>}
      <div className="cards">{cards.map(({ list, pathway, data }) => <ListCard key={`${pathway.code}/${list.code}`} list={list} pathway={pathway} pathways={pathways} data={data} />)}</div>
    </div>
  );
}
