//! Draws what the table says: rate and slowest of a hundred over connections, a line for each
//! server. The SVG is readable on light and dark backgrounds.

use std::fmt::Write;

/// The results of one server.
pub struct Line {
    name: &'static str,
    points: Vec<Point>,
}

struct Point {
    connections: usize,
    rate: f64,
    milliseconds: f64,
}

impl Line {
    pub fn new(name: &'static str) -> Line {
        Line { name, points: Vec::new() }
    }

    pub fn add(&mut self, connections: usize, rate: f64, milliseconds: f64) {
        self.points.push(Point { connections, rate, milliseconds });
    }
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 250.0;
/// The margin around each plot, for its labels.
const MARGIN: f64 = 48.0;
/// Distinct for colour-blind readers, on white and on black; dashes distinguish them as well.
const COLOURS: [&str; 5] = ["#d55e00", "#0072b2", "#56b4e9", "#009e73", "#999999"];
const DASHES: [&str; 5] = ["none", "6 3", "2 3", "8 3 2 3", "1 4"];

/// Two plots for each request, one below the other.
pub fn picture(requests: &[(&str, Vec<Line>)]) -> String {
    let (width, height) = (2.0 * WIDTH, HEIGHT * requests.len() as f64 + 40.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Answers a second, and the slowest of a hundred, over connections</title>\n\
         <style>text {{ fill: #222 }} .frame {{ stroke: #888; fill: none }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} }}</style>\n"
    );
    for (at, (name, lines)) in requests.iter().enumerate() {
        let top = at as f64 * HEIGHT;
        let (title, value): (_, Value) = ("answers a second", |point| point.rate);
        let plot = Plot { left: 0.0, top, title, value, is_logarithmic: false };
        plot.draw(&mut out, name, lines);
        let (title, value): (_, Value) = ("slowest of a hundred, ms", |point| point.milliseconds);
        let plot = Plot { left: WIDTH, top, title, value, is_logarithmic: true };
        plot.draw(&mut out, name, lines);
    }
    if let Some((_, lines)) = requests.first() {
        legend(&mut out, height - 16.0, lines);
    }
    out.push_str("</svg>\n");
    out
}

type Value = fn(&Point) -> f64;

/// One plot. The axis of connections is logarithmic, since they are far apart.
struct Plot {
    left: f64,
    top: f64,
    title: &'static str,
    value: Value,
    /// Whether the axis of values is; otherwise it begins at zero.
    is_logarithmic: bool,
}

impl Plot {
    fn draw(&self, out: &mut String, name: &str, lines: &[Line]) {
        let points = || lines.iter().flat_map(|line| &line.points);
        let least = points().map(self.value).fold(f64::MAX, f64::min).max(0.001);
        let least = if self.is_logarithmic { least } else { 0.0 };
        let most = points().map(self.value).fold(least.max(0.001) * 1.01, f64::max);
        let widest = points().map(|point| point.connections).max().unwrap_or(2).max(2) as f64;
        let (inner, tall) = (WIDTH - 1.5 * MARGIN, HEIGHT - 2.0 * MARGIN);
        let (corner, edge) = (self.left + MARGIN, self.top + MARGIN);
        let x = |point: &Point| corner + inner * (point.connections as f64).ln() / widest.ln();
        let height = |value: f64| match self.is_logarithmic {
            true => (value.max(least) / least).ln() / (most / least).ln(),
            false => value / most,
        };
        let y = |value: f64| edge + tall * (1.0 - height(value));
        let title = format!("{name}: {}", self.title);
        text(out, (corner, self.top + 30.0), "start", &title);
        let _ = writeln!(
            out,
            "<rect class=\"frame\" x=\"{corner}\" y=\"{edge}\" width=\"{inner}\" height=\"{tall}\"/>"
        );
        for mark in [least, most] {
            text(out, (corner - 4.0, y(mark) + 4.0), "end", &short(mark));
        }
        for point in lines.first().map_or(&[][..], |line| &line.points) {
            text(out, (x(point), edge + tall + 16.0), "middle", &point.connections.to_string());
        }
        for (number, line) in lines.iter().enumerate() {
            let place = |point: &Point| format!("{:.1},{:.1}", x(point), y((self.value)(point)));
            let places: Vec<String> = line.points.iter().map(place).collect();
            let _ = writeln!(out, "<polyline points=\"{}\" {}/>", places.join(" "), pen(number));
        }
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn legend(out: &mut String, y: f64, lines: &[Line]) {
    for (number, line) in lines.iter().enumerate() {
        let x = MARGIN + number as f64 * 140.0;
        let (to, text, base) = (x + 28.0, x + 34.0, y + 4.0);
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" {}/>\n\
             <text x=\"{text}\" y=\"{base}\">{}</text>",
            pen(number),
            line.name
        );
    }
}

fn pen(number: usize) -> String {
    let (colour, dashes) = (COLOURS[number % 5], DASHES[number % 5]);
    format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"")
}

fn short(value: f64) -> String {
    match value {
        1000.0.. => format!("{:.0}k", value / 1000.0),
        1.0.. => format!("{value:.1}"),
        0.0 => "0".into(),
        _ => format!("{value:.2}"),
    }
}
