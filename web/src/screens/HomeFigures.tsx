/** This month in a few numbers, for who looks after the whole county: of each function how often, how well, how quickly. */
import { useTranslation } from 'react-i18next';
import { useFigures, type Figure, type FigureKind } from '../api/figures.ts';
import { serverNow, type User } from '../api/session.ts';
import { Failed, Waiting } from '../app/parts.tsx';
import { go, routeText } from '../app/route.ts';
import { dayText } from '../logic/clock.ts';
import { periodCompared, periodOf } from '../logic/period.ts';
import { FigureCard } from './FigureCard.tsx';

const KINDS: FigureKind[] = ['count', 'share', 'median-minutes'];

/** A package names what matters most first: of each kind its first. */
function chief(list: Figure[]): Figure[] {
  return KINDS.flatMap((kind) => list.find((f) => f.kind === kind) ?? []);
}

/** Who sees the whole county and has no list of work of their own. */
export function watchesFigures(user: User): boolean { return user.role === 'consortium-office'; }

export function HomeFigures() {
  const { t } = useTranslation();
  const today = dayText(serverNow());
  const period = periodOf('month', today);
  const now = useFigures({ period });
  const before = useFigures({ period: periodCompared(period, today) });
  const list = now.data?.list ?? [];
  const pathways = [...new Map(list.map((f) => [f.pathway, f.pathwayTitle]))];
  const open = (f: Figure) => go({ screen: 'figures', search: new URLSearchParams({ from: period.from, to: period.to, measure: f.measure }).toString() });
  return (
    <section className="home-figures" aria-label={t('home.figures')} data-home-figures>
      <div className="figures-bar"><h2>{t('home.figures')}</h2><a href={routeText({ screen: 'figures', search: '' })}>{t('home.all-figures')}</a></div>
      {now.isError && <Failed error={now.error} again={() => void now.refetch()} />}
      {now.isPending && <Waiting />}
      <div className="home-figures-cols">
        {pathways.map(([pathway, title]) => (
          <section key={pathway} aria-label={title}>
            <h3>{title}</h3>
            <div className="figure-cards">
              {chief(list.filter((f) => f.pathway === pathway)).map((f) => (
                <FigureCard key={f.code} figure={f} before={before.data?.list.find((b) => b.measure === f.measure)} on={false} choose={() => open(f)} />
              ))}
            </div>
          </section>
        ))}
      </div>
    </section>
  );
}
