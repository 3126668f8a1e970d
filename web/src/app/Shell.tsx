/** The frame around every screen: head with person and search, work at the left, the alert banner, the screen itself. */
import { Suspense, lazy, useRef, useState } from 'react';
import { Button, Dropdown } from 'antd';
import { AlertOutlined, AuditOutlined, BarChartOutlined, DashboardOutlined, DeleteOutlined, FontSizeOutlined, GlobalOutlined, ImportOutlined, SearchOutlined, SolutionOutlined, TeamOutlined, UserAddOutlined, UserOutlined, UnorderedListOutlined } from './icons.ts';
import { useTranslation } from 'react-i18next';
import type { ListInfo, Pathway } from '../api/pathways.ts';
import { useLiveState } from '../api/events.ts';
import { usePathways } from '../api/queries.ts';
import type { User } from '../api/session.ts';
import { setLanguage } from '../i18n/index.ts';
import { FindScreen } from '../screens/FindScreen.tsx';
import { HomeScreen } from '../screens/HomeScreen.tsx';
import { CaseList } from '../screens/WorkListScreen.tsx';
import { useWorkList } from '../screens/useWorkList.ts';
import { AlertBanner } from './alerts.tsx';
import { DiskBanner } from './DiskBanner.tsx';
import { KeysSheet } from './KeysSheet.tsx';
import { Failed, Waiting, useHotkey } from './parts.tsx';
import { Queue } from './Queue.tsx';
import { QuickFind } from './QuickFind.tsx';
import { go, routeText, useRoute, type Route } from './route.ts';

const PatientWorkspace = lazy(() => import('../screens/PatientWorkspace.tsx'));
const FiguresScreen = lazy(() => import('../screens/FiguresScreen.tsx'));
const RegisterScreen = lazy(() => import('../screens/RegisterScreen.tsx'));
const AccountsScreen = lazy(() => import('../screens/AccountsScreen.tsx'));
const ImportScreen = lazy(() => import('../screens/ImportScreen.tsx'));
const AuditScreen = lazy(() => import('../screens/AuditScreen.tsx'));
const PurgesScreen = lazy(() => import('../screens/PurgesScreen.tsx'));
const SystemScreen = lazy(() => import('../screens/SystemScreen.tsx'));
const GlassScreen = lazy(() => import('../screens/GlassScreen.tsx'));

/** Who reads what was opened in an emergency. */
const GLASS_ROLES = ['consortium-office', 'security-administrator', 'audit-administrator'];

interface Props { user: User; large: boolean; setLarge: (on: boolean) => void; leave: () => void; password: () => void; factor?: () => void; post?: () => void }

function LiveMark() {
  const { t } = useTranslation();
  const state = useLiveState();
  return <span className={`live live-${state}`} title={t(`live.${state}-long`)} data-live={state}>● {t(`live.${state}`)}</span>;
}

function Head({ user, large, setLarge, leave, password, factor, post }: Props) {
  const { t, i18n } = useTranslation();
  const items = [
    ...(post ? [{ key: 'post', label: t('menu.post'), onClick: post }] : []),
    { key: 'password', label: t('login.change'), onClick: password },
    ...(factor ? [{ key: 'factor', label: t('menu.factor'), onClick: factor }] : []),
    { key: 'leave', label: t('menu.leave'), onClick: leave },
  ];
  return (
    <header className="head">
      <a className="head-brand" href={routeText({ screen: 'home' })}><img src="./door.svg" alt="" width={24} /> {t('app.name')}</a>
      {!user.role.endsWith('-administrator') && <QuickFind />}
      <span className="head-space" />
      <LiveMark />
      <KeysSheet />
      <Button type="text" size="small" icon={<FontSizeOutlined />} aria-pressed={large} title={t('menu.large')} onClick={() => setLarge(!large)} data-large />
      <Button type="text" size="small" icon={<GlobalOutlined />} onClick={() => setLanguage(i18n.language === 'en' ? 'zh-CN' : 'en')} data-language>{t('lang.other')}</Button>
      <Dropdown trigger={['click']} autoFocus menu={{ items }}>
        <Button type="text" size="small" icon={<UserOutlined />} title={[user.name, t(`role.${user.role}`, { defaultValue: user.role }), user.organizationName].filter(Boolean).join(' · ')} data-person>
          {user.name} · {t(`role.${user.role}`, { defaultValue: user.role })}{user.organizationName && ` · ${user.organizationName}`}
        </Button>
      </Dropdown>
    </header>
  );
}

function ListLink({ list, on }: { list: ListInfo; on: boolean }) {
  const data = useWorkList(list).data;
  const count = data ? `${data.rows.length}${data.more ? '+' : ''}` : '';
  return (
    <a className={on ? 'nav-item nav-on' : 'nav-item'} href={routeText({ screen: 'list', pathway: list.pathway, list: list.code })} data-list={list.code}>
      <UnorderedListOutlined /> <span className="nav-text" title={list.title}>{list.title}</span>
      {count !== '' && <span className={list.alert && count !== '0' ? 'nav-count nav-count-red' : 'nav-count'}>{count}</span>}
    </a>
  );
}

/** What is clinical is not offered to an administrator, who reads none of it. */
function Nav({ pathways, route, clinical, role }: { pathways: Pathway[]; route: Route; clinical: boolean; role: string }) {
  const { t } = useTranslation();
  const own = (screen: string) => (route.screen === screen ? 'nav-item nav-on' : 'nav-item');
  return (
    <nav className="nav" aria-label={t('nav')}>
      {clinical && (
        <>
          <a className={own('find')} href={routeText({ screen: 'find', text: '' })}><SearchOutlined /> <span className="nav-text">{t('find.title')}</span></a>
          <a className={own('register')} href={routeText({ screen: 'register', text: '' })}><UserAddOutlined /> <span className="nav-text">{t('register.title')}</span></a>
          <a className={own('mine')} href={routeText({ screen: 'mine' })}><SolutionOutlined /> <span className="nav-text">{t('mine.title')}</span></a>
          <a className={own('figures')} href={routeText({ screen: 'figures', search: '' })}><BarChartOutlined /> <span className="nav-text">{t('figures.page')}</span></a>
        </>
      )}
      {!clinical && <a className={own('accounts')} href={routeText({ screen: 'accounts' })}><TeamOutlined /> <span className="nav-text">{t('account.title')}</span></a>}
      {role === 'system-administrator' && <a className={own('imports')} href={routeText({ screen: 'imports' })}><ImportOutlined /> <span className="nav-text">{t('import.title')}</span></a>}
      {!clinical && <a className={own('purges')} href={routeText({ screen: 'purges' })} data-purges><DeleteOutlined /> <span className="nav-text">{t('purge.title')}</span></a>}
      {!clinical && <a className={own('system')} href={routeText({ screen: 'system' })} data-system-link><DashboardOutlined /> <span className="nav-text">{t('system.title')}</span></a>}
      {role === 'audit-administrator' && <a className={own('audit')} href={routeText({ screen: 'audit' })}><AuditOutlined /> <span className="nav-text">{t('audit.title')}</span></a>}
      {GLASS_ROLES.includes(role) && <a className={own('glass')} href={routeText({ screen: 'glass' })} data-glass-list><AlertOutlined /> <span className="nav-text">{t('glass.title')}</span></a>}
      {pathways.filter((p) => p.lists.length > 0).map((p) => (
        <div key={p.code}>
          <div className="nav-group">{p.title}</div>
          {p.lists.map((l) => <ListLink key={l.code} list={l} on={route.screen === 'list' && route.pathway === p.code && route.list === l.code} />)}
        </div>
      ))}
    </nav>
  );
}

function Screen({ route, user, pathways }: { route: Route; user: User; pathways: Pathway[] }) {
  const { t } = useTranslation();
  switch (route.screen) {
    case 'find': return <FindScreen text={route.text} user={user} />;
    case 'register': return <RegisterScreen key={route.text} text={route.text} user={user} />;
    case 'figures': return <FiguresScreen search={route.search} user={user} pathways={pathways} />;
    case 'accounts': return <AccountsScreen />;
    case 'imports': return <ImportScreen />;
    case 'audit': return <AuditScreen />;
    case 'purges': return <PurgesScreen />;
    case 'system': return <SystemScreen role={user.role} />;
    case 'glass': return <GlassScreen user={user} />;
    case 'mine': return <CaseList title={t('mine.title')} query={`requester=${user.organization ?? ''}&_sort=-_lastUpdated`} pathways={pathways} empty={t('list.empty')} />;
    case 'patient': return <PatientWorkspace key={route.patient} user={user} patient={route.patient} task={route.task} from={route.from} />;
    case 'list': {
      const list = pathways.find((p) => p.code === route.pathway)?.lists.find((l) => l.code === route.list);
      if (!list) return <p className="empty">{t('list.unknown')}</p>;
      return <CaseList key={list.query} title={list.title} query={list.query} pathways={pathways} from={`${list.pathway}/${list.code}`} empty={t('list.empty')} />;
    }
    default: return <HomeScreen user={user} pathways={pathways} />;
  }
}

export function Shell(props: Props) {
  const { t } = useTranslation();
  const main = useRef<HTMLElement>(null);
  const route = useRoute();
  const pathways = usePathways();
  const [narrow, setNarrow] = useState(false);
  const clinical = !props.user.role.endsWith('-administrator');
  useHotkey((e) => e.key === 'F3' && clinical, () => go({ screen: 'register', text: '' }));
  const known = pathways.data ?? [];
  const from = route.screen === 'patient' ? route.from : undefined;
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={() => main.current?.focus()} data-skip>{t('skip')}</button>
      <Head {...props} />
      <AlertBanner pathways={known} />
      {!clinical && <DiskBanner />}
      <div className={narrow ? 'shell-cols shell-narrow' : 'shell-cols'}>
        {from && route.screen === 'patient'
          ? <Queue from={from} pathways={known} current={route.task} narrow={narrow} setNarrow={setNarrow} />
          : <Nav pathways={known} route={route} clinical={clinical} role={props.user.role} />}
        <main className="shell-main" tabIndex={-1} ref={main}>
          {pathways.isError && <Failed error={pathways.error} again={() => void pathways.refetch()} />}
          {pathways.isPending ? <Waiting /> : <Suspense fallback={<Waiting />}><Screen route={route} user={props.user} pathways={known} /></Suspense>}
        </main>
      </div>
    </div>
  );
}
