/** The viewer's words. It is given its language, so that it also works outside the workstation's own translation. */
export type EcgLang = 'zh-CN' | 'en';

const zh = {
  notForDiagnosis: '仅供参考，不作诊断依据', missing: '未记录', notVoltage: '非电压信号，未绘制', further: '（十二导联之外）',
  missingLeads: '缺失导联', furtherLeads: '附加导联', speed: '走纸速度', gain: '增益', layout: '排列', pan: '移动', measure: '测量',
  march: '等距标记', fit: '适合宽度', trueScale: '真实比例', zoomIn: '放大', zoomOut: '缩小', overlay: '叠加', beside: '并列',
  earlier: '以往', current: '本次', time: '时间', noTime: '记录中没有采集时间', position: '位置', leads: '导联', keys: '快捷键',
  rhythm: '3×4＋节律', sixByTwo: '6×2', twelveByOne: '12×1', calibrate: '屏幕校准', calibrateHelp: '用尺量下面的横线，调到正好 50 毫米',
  none: '没有可显示的导联', loading: '正在读取……', overview: '全程概览', omitted: '文件中未显示的波形', report: '记下测量', measured: '测量',
  help: '滚轮或 ＋ － 缩放，0 真实比例，F 适合宽度；P 移动，M 测量：拖动，或方向键移动一端（Shift 加快）、空格换端、回车记下、R 等距、Esc 清除；PgUp PgDn 前后翻（Shift 翻六页），Home End 首尾，1 2 3 换排列',
};
export type EcgWords = typeof zh;

const en: EcgWords = {
  notForDiagnosis: 'Not for diagnosis', missing: 'not recorded', notVoltage: 'not a voltage, not drawn', further: '(beyond the twelve)',
  missingLeads: 'Missing leads', furtherLeads: 'Further leads', speed: 'Speed', gain: 'Gain', layout: 'Layout', pan: 'Pan', measure: 'Measure',
  march: 'March', fit: 'Fit width', trueScale: 'True scale', zoomIn: 'Zoom in', zoomOut: 'Zoom out', overlay: 'Overlay', beside: 'Side by side',
  earlier: 'Earlier', current: 'This one', time: 'Time', noTime: 'no time in the recording', position: 'Position', leads: 'leads', keys: 'Keys',
  rhythm: '3×4 + rhythm', sixByTwo: '6×2', twelveByOne: '12×1', calibrate: 'Calibrate screen', calibrateHelp: 'Hold a ruler to the bar and make it exactly 50 mm long',
  none: 'No lead to show', loading: 'Loading …', overview: 'Whole recording', omitted: 'Waveforms of the file not shown', report: 'Note it', measured: 'Measured',
  help: 'Wheel or + − zoom, 0 true scale, F fit width; P pan, M measure: drag, or arrow keys move one end (Shift faster), Space other end, Enter notes it, R march, Esc clears; PgUp PgDn page (Shift six), Home End, 1 2 3 layout',
};

export function wordsOf(lang: string): EcgWords {
  return lang.startsWith('zh') ? zh : en;
}
