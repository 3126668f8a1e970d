/** Who is here decides what is shown: nobody, somebody with a first password, somebody with several posts, the workstation. */
import { Suspense, lazy, useCallback, useEffect, useState } from 'react';
import { ConfigProvider } from 'antd';
import zhCN from 'antd/locale/zh_CN';
import enUS from 'antd/locale/en_US';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { ApiError, setUnauthorizedHandler } from '../api/http.ts';
import { followEvents } from '../api/events.ts';
import { useSession } from '../api/queries.ts';
import { choosePost, currentSession, logOut, type Session, type User } from '../api/session.ts';
import { onOtherTab, tellTabs } from '../api/tabs.ts';
import { sweepKept } from '../api/drafts.ts';
import { LoginScreen, PasswordScreen, PostScreen } from '../screens/LoginScreen.tsx';
import { Failed, Waiting, lockKeys } from './parts.tsx';
import { Shell } from './Shell.tsx';
import { themeOf } from './theme.ts';

const FactorScreen = lazy(() => import('../screens/FactorScreen.tsx'));

const LARGE = 'menkou.large';

function useLarge(): [boolean, (on: boolean) => void] {
  const [large, setLarge] = useState(localStorage.getItem(LARGE) === 'on');
  useEffect(() => {
    document.documentElement.classList.toggle('large', large);
    localStorage.setItem(LARGE, large ? 'on' : 'off');
  }, [large]);
  return [large, setLarge];
}

type Asked = 'password' | 'post' | 'factor' | undefined;

function Inside({ session, take, leave, large, setLarge, justIn }: {
  session: Session; take: (s: Session) => void; leave: () => void; large: boolean; setLarge: (on: boolean) => void; justIn: boolean;
}) {
  const client = useQueryClient();
  const { user } = session;
  const posts = user.roles ?? [];
  const [asked, setAsked] = useState<Asked>(justIn && posts.length > 1 ? 'post' : undefined);
  const follow = !session.mustChangePassword && !session.secondFactor.must;
  const who = `${user.practitioner ?? user.name}|${user.post ?? user.role}`;
  useEffect(sweepKept, []);
  useEffect(() => (follow ? followEvents(client, who) : undefined), [client, follow, who]);
  if (session.mustChangePassword || asked === 'password') {
    return (
      <PasswordScreen forced={session.mustChangePassword} cancel={session.mustChangePassword ? leave : () => setAsked(undefined)}
        done={() => { take({ ...session, mustChangePassword: false }); if (asked === 'password') setAsked(undefined); }} />
    );
  }
  if (session.secondFactor.must || asked === 'factor') {
    const forced = session.secondFactor.must;
    return (
      <Suspense fallback={<Waiting />}>
        <FactorScreen forced={forced} cancel={forced ? leave : () => setAsked(undefined)}
          done={() => { take({ ...session, secondFactor: { on: true, must: false } }); setAsked(undefined); }} />
      </Suspense>
    );
  }
  if (asked === 'post') return <PostScreen posts={posts} current={user.post} done={(s) => { setAsked(undefined); if (s) take(s); }} />;
  return <Shell user={user} large={large} setLarge={setLarge} leave={leave} password={() => setAsked('password')} factor={session.secondFactor.on ? undefined : () => setAsked('factor')} post={posts.length > 1 ? () => setAsked('post') : undefined} />;
}

function samePerson(one: User, other: User): boolean {
  return (one.practitioner ?? one.name) === (other.practitioner ?? other.name);
}

/** The one who comes back to covered work goes on in the post it was begun in. */
async function inFormerPost(next: Session, before: User): Promise<Session> {
  const has = before.post !== next.user.post && next.user.roles?.some((r) => r.post === before.post);
  return has && before.post ? choosePost(before.post) : next;
}

/**
 * A session that ends under somebody's hands covers the screen and does not throw it away: whoever logs in again as the same
 * person finds everything as it was. Another person, or a log-out, gets an empty screen.
 */
function useStay(client: QueryClient) {
  const [covered, setCovered] = useState(false);
  const own = (q: { queryKey: readonly unknown[] }) => q.queryKey[0] !== 'session';

  /** Another person or post sees other things: nothing of the former stays in memory. */
  const take = useCallback((next: Session) => {
    const before = client.getQueryData<Session>(['session']);
    if (before?.user.post !== next.user.post || before?.user.name !== next.user.name) client.removeQueries({ predicate: own });
    client.setQueryData(['session'], next);
  }, [client]);
  const wipe = useCallback(() => {
    location.hash = '';
    setCovered(false);
    client.removeQueries({ predicate: own });
    void client.resetQueries({ queryKey: ['session'] });
  }, [client]);
  const ended = useCallback(() => {
    if (client.getQueryData(['session'])) setCovered(true);
    else void client.resetQueries({ queryKey: ['session'] });
  }, [client]);
  const resume = useCallback((next: Session) => {
    const before = client.getQueryData<Session>(['session']);
    if (before && samePerson(before.user, next.user)) void client.invalidateQueries({ predicate: own });
    else location.hash = '';
    take(next);
    setCovered(false);
  }, [client, take]);
  return { covered, take, wipe, ended, resume };
}

/** What another tab did with the session this one shares. */
function useOtherTabs(client: QueryClient, { resume, wipe }: { resume: (s: Session) => void; wipe: () => void }) {
  useEffect(() => onOtherTab(() => {
    const before = client.getQueryData<Session>(['session']);
    currentSession().then((now) => { if (!before || before.user.post !== now.user.post || !samePerson(before.user, now.user)) resume(now); }, wipe);
  }), [client, resume, wipe]);
}

export function App() {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const [large, setLarge] = useLarge();
  const [justIn, setJustIn] = useState(false);
  const { covered, take, wipe, ended, resume } = useStay(client);
  const here = session.data?.user;

  const leave = () => {
    logOut().catch(() => undefined).finally(() => { setJustIn(false); wipe(); tellTabs(); });
  };
  const back = async (next: Session) => {
    resume(here && samePerson(here, next.user) ? await inFormerPost(next, here) : next);
    tellTabs();
  };
  useEffect(() => setUnauthorizedHandler(ended), [ended]);
  useEffect(() => lockKeys(covered), [covered]);
  useOtherTabs(client, { resume, wipe });

  const nobody = session.error instanceof ApiError && session.error.status === 401;
  return (
    <ConfigProvider locale={i18n.language === 'en' ? enUS : zhCN} theme={themeOf(large)} button={{ autoInsertSpace: false }}>
      {session.isPending && <Waiting />}
      {session.isError && nobody && <LoginScreen done={(s) => { setJustIn(true); take(s); tellTabs(); }} />}
      {session.isError && !nobody && <Failed error={session.error} again={() => void session.refetch()} />}
      {session.data && !session.isError && (
        <div className="stay" {...(covered ? { inert: '' } : {})}>
          <Inside key={here?.practitioner ?? here?.name} session={session.data} take={(s) => { take(s); tellTabs(); }} leave={leave} large={large} setLarge={setLarge} justIn={justIn} />
        </div>
      )}
      {covered && here && <div className="cover" role="dialog" aria-modal="true"><LoginScreen done={(s) => void back(s)} note={t('login.ended', { name: here.name })} other={leave} /></div>}
    </ConfigProvider>
  );
}
