//! The loss curve, as numbers and as a picture.

use std::fmt::Write;

use super::Point;

/// The names of the columns.
const HEAD: &str = "step,train,held_out";

/// Comma-separated: step, train, held_out.
pub fn csv(curve: &[Point]) -> String {
    let mut text = format!("{HEAD}\n");
    for Point { step, train, held_out } in curve {
        let held_out = held_out.map_or(String::new(), |loss| format!("{loss:.5}"));
        // A string takes everything.
        let _ = writeln!(text, "{step},{train:.5},{held_out}");
    }
    text
}

/// The points of a curve that [`csv`] has written; lines that are none are left out.
pub fn read(csv: &str) -> Vec<Point> {
    let point = |line: &str| {
        let mut columns = line.split(',');
        let mut next = || columns.next().unwrap_or_default();
        let (step, train) = (next().parse().ok()?, next().parse().ok()?);
        Some(Point { step, train, held_out: next().parse().ok() })
    };
    csv.lines().filter_map(point).collect()
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room around the lines, for the numbers.
const MARGIN: f64 = 48.0;

/// The colours of a picture, as SVG has them.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    /// Behind everything.
    pub paper: &'static str,
    /// Numbers and axes.
    pub ink: &'static str,
    /// The loss on what is learned.
    pub train: &'static str,
    /// The loss on what is held out.
    pub held_out: &'static str,
}

/// The colours of a file.
pub const PLAIN: Colours = Colours { paper: "#fff", ink: "#444", train: "#2a6fb0", held_out: "#b04a2a" };

/// Both losses over the steps, with room for so many steps.
pub fn svg(curve: &[Point], steps: u64, colours: Colours) -> String {
    let Colours { paper, ink, train: train_colour, held_out: held_out_colour } = colours;
    let losses = || curve.iter().flat_map(|point| [Some(point.train), point.held_out]).flatten();
    let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
    let last = steps.max(1);
    let x = |step: u64| MARGIN + (WIDTH - 2.0 * MARGIN) * step as f64 / last as f64;
    let y = |loss: f64| MARGIN + (HEIGHT - 2.0 * MARGIN) * (most - loss) / (most - least).max(f64::EPSILON);
    let line = |of: fn(&Point) -> Option<f64>| {
        let points = curve.iter().filter_map(|point| Some(format!("{:.1},{:.1}", x(point.step), y(of(point)?))));
        points.collect::<Vec<_>>().join(" ")
    };
    let (train, held_out) = (line(|point| Some(point.train)), line(|point| point.held_out));
    let (bottom, right) = (HEIGHT - MARGIN, WIDTH - MARGIN);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="The losses over the steps" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{HEIGHT}" fill="{paper}"/>
<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="{ink}"/>
<text x="{MARGIN}" y="{y_title}" fill="{ink}">nats per token</text>
<text x="4" y="{y_most}" fill="{ink}">{most:.2}</text>
<text x="4" y="{y_least}" fill="{ink}">{least:.2}</text>
<text x="{right}" y="{y_steps}" fill="{ink}" text-anchor="end">step {last}</text>
<polyline points="{train}" fill="none" stroke="{train_colour}" stroke-width="2"/>
<polyline points="{held_out}" fill="none" stroke="{held_out_colour}" stroke-width="2" stroke-dasharray="6 3"/>
<text x="{x_key}" y="{y_title}" fill="{train_colour}" text-anchor="end">learned</text>
<text x="{right}" y="{y_title}" fill="{held_out_colour}" text-anchor="end">held out (dashed)</text>
</svg>
"##,
        y_title = MARGIN - 16.0,
        y_most = MARGIN + 4.0,
        y_least = bottom + 4.0,
        y_steps = bottom + 20.0,
        x_key = right - 190.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_back() {
        let points =
            [Point { step: 1, train: 4.25, held_out: None }, Point { step: 50, train: 2.5, held_out: Some(2.75) }];
        assert_eq!(csv(&points), "step,train,held_out\n1,4.25000,\n50,2.50000,2.75000\n");
        assert_eq!(read(&csv(&points)), points);
        let picture = svg(&points, 100, PLAIN);
        assert!(picture.contains("points=\"53.4,48.0 320.0,312.0\""), "{picture}");
        assert!(picture.contains(">2.50<") && picture.contains(">4.25<") && picture.contains("step 100"), "{picture}");
    }
}
