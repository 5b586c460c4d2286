/** Requests by day, of the last 30. */
import '@mantine/charts/styles.css';
import { BarChart } from '@mantine/charts';

const DAY = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });

export default function DayChart({ days }: { days: readonly { day: string; count: number }[] }) {
  const counts = new Map(days.map(({ day, count }) => [day, count]));
  const today = Date.now();
  const data = Array.from({ length: 30 }, (_, at) => {
    const date = new Date(today - (29 - at) * 86_400_000);
    return { day: DAY.format(date), Requests: counts.get(date.toISOString().slice(0, 10)) ?? 0 };
  });
  const total = days.reduce((sum, { count }) => sum + count, 0);
  return (
    <figure style={{ margin: 0 }} aria-label={`Requests by day: ${total} in 30 days`}>
      <BarChart
        h={180}
        data={data}
        dataKey="day"
        series={[{ name: 'Requests', color: 'brand.5' }]}
        tickLine="none"
        gridAxis="x"
        barChartProps={{ accessibilityLayer: false }}
      />
    </figure>
  );
}
