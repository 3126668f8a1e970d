/**
 * The resident identity card number (GB 11643): six digits of region, eight of birth date, three of order (odd: male),
 * one check character. Pure; problems come as codes that the screen words.
 */
export type IdCardFault = 'length' | 'characters' | 'region' | 'date' | 'future' | 'check';

export interface IdCardReading {
  number: string;
  fault?: IdCardFault;
  /** Code of the province-level division, the first two digits. */
  province?: string;
  region?: string;
  birthDate?: string;
  gender?: 'male' | 'female';
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS = '10X98765432';

/** Province-level divisions of GB/T 2260 with their names: [zh, en]. */
export const PROVINCES: Record<string, [string, string]> = {
  11: ['北京', 'Beijing'], 12: ['天津', 'Tianjin'], 13: ['河北', 'Hebei'], 14: ['山西', 'Shanxi'],
  15: ['内蒙古', 'Inner Mongolia'], 21: ['辽宁', 'Liaoning'], 22: ['吉林', 'Jilin'], 23: ['黑龙江', 'Heilongjiang'],
  31: ['上海', 'Shanghai'], 32: ['江苏', 'Jiangsu'], 33: ['浙江', 'Zhejiang'], 34: ['安徽', 'Anhui'],
  35: ['福建', 'Fujian'], 36: ['江西', 'Jiangxi'], 37: ['山东', 'Shandong'], 41: ['河南', 'Henan'],
  42: ['湖北', 'Hubei'], 43: ['湖南', 'Hunan'], 44: ['广东', 'Guangdong'], 45: ['广西', 'Guangxi'],
  46: ['海南', 'Hainan'], 50: ['重庆', 'Chongqing'], 51: ['四川', 'Sichuan'], 52: ['贵州', 'Guizhou'],
  53: ['云南', 'Yunnan'], 54: ['西藏', 'Tibet'], 61: ['陕西', 'Shaanxi'], 62: ['甘肃', 'Gansu'],
  63: ['青海', 'Qinghai'], 64: ['宁夏', 'Ningxia'], 65: ['新疆', 'Xinjiang'], 71: ['台湾', 'Taiwan'],
  81: ['香港', 'Hong Kong'], 82: ['澳门', 'Macao'], 83: ['台湾', 'Taiwan'],
};

export function checkCharacter(first17: string): string {
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += WEIGHTS[i] * Number(first17[i]);
  return CHECKS[sum % 11];
}

/** Full-width digits and spaces are what an input method leaves behind. */
export function normalizeIdCard(text: string): string {
  return text.normalize('NFKC').replace(/[\s-]/g, '').toUpperCase();
}

function realDate(date: string): boolean {
  const at = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 10) === date;
}

/** Reads a number; fields that can be read are given even when a later check fails. `today` is YYYY-MM-DD. */
export function readIdCard(text: string, today: string): IdCardReading {
  const number = normalizeIdCard(text);
  const reading: IdCardReading = { number };
  if (!/^\d*X?$/.test(number)) return { ...reading, fault: 'characters' };
  if (number.length >= 2) reading.province = number.slice(0, 2);
  if (number.length >= 6) reading.region = number.slice(0, 6);
  if (number.length !== 18) return { ...reading, fault: 'length' };
  const date = `${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}`;
  if (!PROVINCES[number.slice(0, 2)]) return { ...reading, fault: 'region' };
  if (!realDate(date) || date < '1850-01-01') return { ...reading, fault: 'date' };
  if (date > today) return { ...reading, fault: 'future' };
  reading.birthDate = date;
  reading.gender = Number(number[16]) % 2 === 1 ? 'male' : 'female';
  if (checkCharacter(number) !== number[17]) return { ...reading, fault: 'check' };
  return reading;
}
