/** Screens lie about their size: the person lays a ruler on a bar once, and this browser remembers. */
import { clamp } from './ecgMath.ts';

const KEY = 'menkou.ecg.px-per-mm';
const CSS_PX_PER_MM = 96 / 25.4;

export function savedScale(): number {
  const value = Number(localStorage.getItem(KEY));
  return value > 1 && value < 20 ? value : CSS_PX_PER_MM;
}

export function EcgCalibrate({ help, scale, change }: { help: string; scale: number; change: (pxPerMm: number) => void }) {
  const set = (value: number) => {
    const next = clamp(value, CSS_PX_PER_MM / 2, CSS_PX_PER_MM * 3);
    localStorage.setItem(KEY, String(next));
    change(next);
  };
  return (
    <div className="ecg-calibrate">
      <label>{help}
        <input type="range" min={CSS_PX_PER_MM / 2} max={CSS_PX_PER_MM * 3} step={0.01} value={scale} onChange={(e) => set(Number(e.target.value))} />
      </label>
      <div className="ecg-bar" style={{ width: 50 * scale }} aria-hidden="true"><span>50 mm</span></div>
    </div>
  );
}
