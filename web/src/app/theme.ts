import type { ThemeConfig } from 'antd';

export const FONT = "'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', 'Microsoft YaHei', 'PingFang SC', 'WenQuanYi Micro Hei', SimSun, sans-serif";

/** Dense for the desk; the large mode has 18 pt letters and 60 px targets. */
export function themeOf(large: boolean): ThemeConfig {
  return {
    token: {
      fontFamily: FONT, fontSize: large ? 24 : 14, colorPrimary: '#0b5cab', borderRadius: 3, motion: false,
      controlHeight: large ? 60 : 30, controlHeightSM: large ? 60 : 24, controlHeightLG: large ? 64 : 38, wireframe: false,
    },
  };
}
