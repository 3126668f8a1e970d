import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import dayjs from 'dayjs';
import 'dayjs/locale/zh-cn';
import i18n from './i18n/index.ts';
import { App } from './app/App.tsx';
import './app/app.css';

const followLanguage = (lang: string) => dayjs.locale(lang === 'en' ? 'en' : 'zh-cn');
followLanguage(i18n.language);
i18n.on('languageChanged', followLanguage);

const client = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, gcTime: 5 * 60_000 } } });

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}><App /></QueryClientProvider>
  </StrictMode>,
);
