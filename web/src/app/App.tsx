/** Who is here decides what is shown: nobody, somebody with a first password, somebody with several posts, the workstation. */
import { useCallback, useEffect, useState } from 'react';
import { ConfigProvider } from 'antd';
import zhCN from 'antd/locale/zh_CN';
import enUS from 'antd/locale/en_US';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { ApiError, setUnauthorizedHandler } from '../api/http.ts';
import { followEvents } from '../api/events.ts';
import { useSession } from '../api/queries.ts';
import { logOut, type Session } from '../api/session.ts';
import { LoginScreen, PasswordScreen, PostScreen } from '../screens/LoginScreen.tsx';
import { Failed, Waiting } from './parts.tsx';
import { Shell } from './Shell.tsx';
import { themeOf } from './theme.ts';

const LARGE = 'menkou.large';

function useLarge(): [boolean, (on: boolean) => void] {
  const [large, setLarge] = useState(localStorage.getItem(LARGE) === 'on');
  useEffect(() => {
    document.documentElement.classList.toggle('large', large);
    localStorage.setItem(LARGE, large ? 'on' : 'off');
  }, [large]);
  return [large, setLarge];
}

type Asked = 'password' | 'post' | undefined;

function Inside({ session, take, leave, large, setLarge, justIn }: {
  session: Session; take: (s: Session) => void; leave: () => void; large: boolean; setLarge: (on: boolean) => void; justIn: boolean;
}) {
  const client = useQueryClient();
  const { user } = session;
  const posts = user.roles ?? [];
  const [asked, setAsked] = useState<Asked>(justIn && posts.length > 1 ? 'post' : undefined);
  const follow = !session.mustChangePassword;
  const who = `${user.practitioner ?? user.name}|${user.post ?? user.role}`;
  useEffect(() => (follow ? followEvents(client, who) : undefined), [client, follow, who]);
  if (session.mustChangePassword || asked === 'password') {
    return (
      <PasswordScreen forced={session.mustChangePassword} cancel={session.mustChangePassword ? leave : () => setAsked(undefined)}
        done={() => { take({ ...session, mustChangePassword: false }); if (asked === 'password') setAsked(undefined); }} />
    );
  }
  if (asked === 'post') return <PostScreen posts={posts} current={user.post} done={(s) => { setAsked(undefined); if (s) take(s); }} />;
  return <Shell user={user} large={large} setLarge={setLarge} leave={leave} password={() => setAsked('password')} post={posts.length > 1 ? () => setAsked('post') : undefined} />;
}

export function App() {
  const { i18n } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const [large, setLarge] = useLarge();
  const [justIn, setJustIn] = useState(false);

  /** Another person or post sees other things: nothing of the former stays in memory. */
  const take = useCallback((next: Session) => {
    const before = client.getQueryData<Session>(['session']);
    if (before?.user.post !== next.user.post || before?.user.name !== next.user.name) client.removeQueries({ predicate: (q) => q.queryKey[0] !== 'session' });
    client.setQueryData(['session'], next);
  }, [client]);
  const ended = useCallback(() => {
    client.removeQueries({ predicate: (q) => q.queryKey[0] !== 'session' });
    void client.resetQueries({ queryKey: ['session'] });
  }, [client]);
  const leave = () => {
    logOut().catch(() => undefined).finally(() => { location.hash = ''; setJustIn(false); ended(); });
  };
  useEffect(() => setUnauthorizedHandler(ended), [ended]);

  const nobody = session.error instanceof ApiError && session.error.status === 401;
  return (
    <ConfigProvider locale={i18n.language === 'en' ? enUS : zhCN} theme={themeOf(large)} button={{ autoInsertSpace: false }}>
      {session.isPending && <Waiting />}
      {session.isError && nobody && <LoginScreen done={(s) => { setJustIn(true); take(s); }} />}
      {session.isError && !nobody && <Failed error={session.error} again={() => void session.refetch()} />}
      {session.data && !session.isError && (
        <Inside key={session.data.user.practitioner ?? session.data.user.name} session={session.data} take={take} leave={leave} large={large} setLarge={setLarge} justIn={justIn} />
      )}
    </ConfigProvider>
  );
}
