import i18n from 'i18next';
import { initReactI18next } from 'react-i18next';
import { setApiLanguage } from '../api/http.ts';
import { zh } from './zh.ts';
import { en } from './en.ts';

export type Language = 'zh-CN' | 'en';

const STORED = 'menkou.language';

function firstLanguage(): Language {
  return localStorage.getItem(STORED) === 'en' ? 'en' : 'zh-CN';
}

export function setLanguage(lang: Language): void {
  localStorage.setItem(STORED, lang);
  setApiLanguage(lang);
  document.documentElement.lang = lang;
  void i18n.changeLanguage(lang);
}

const lang = firstLanguage();
setApiLanguage(lang);
document.documentElement.lang = lang;
void i18n.use(initReactI18next).init({
  lng: lang,
  fallbackLng: false,
  resources: { 'zh-CN': { translation: zh }, en: { translation: en } },
  interpolation: { escapeValue: false },
  keySeparator: false,
  nsSeparator: false,
  returnNull: false,
});

export default i18n;
