/** A drawing in the page's own letters, as wide as its place; what it shows stands in a table beside it. */
import { useEffect, useRef } from 'react';
import type { EChartsType } from 'echarts/core';
import { chartIn, type ChartOption } from './chart.ts';

interface Props { option: ChartOption; height: number; label: string }

export default function Chart({ option, height, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>();
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const made = chartIn(element);
    chart.current = made;
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(element);
    return () => { watch.disconnect(); made.dispose(); chart.current = undefined; };
  }, []);
  useEffect(() => {
    const font = getComputedStyle(document.body).fontFamily;
    chart.current?.setOption({ animation: false, textStyle: { fontFamily: font }, aria: { enabled: true, decal: { show: true } }, ...option }, true);
  }, [option, height]);
  return <div ref={place} className="chart" style={{ height }} role="img" aria-label={label} />;
}
