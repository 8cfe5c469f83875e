//! The results: as tables, as JSON, and as the drawing in docs/performance.md.

use std::fmt::Write as _;

use serde::Serialize;

use crate::throughput::Throughput;
use crate::times::Times;

/// All results of `make bench` for a create.
#[derive(Serialize)]
pub struct Report {
    pub contestants: Vec<Times>,
    pub throughput: Vec<Throughput>,
}

/// One figure of each contestant: its title, unit, digits and source.
type Figure = (&'static str, &'static str, usize, fn(&Times) -> f64);

const FIGURES: [Figure; 9] = [
    ("start", "ms", 2, |times| times.start),
    ("cold start", "ms", 2, |times| times.cold_start),
    ("first", "ms", 2, |times| times.first_answer),
    ("p50", "ms", 3, |times| times.p50),
    ("p90", "ms", 3, |times| times.p90),
    ("p99", "ms", 3, |times| times.p99),
    ("CPU", "ms", 3, |times| times.cpu),
    ("memory", "MB", 1, |times| times.memory),
    ("package", "MB", 2, |times| times.package),
];

const DRAWN: [Figure; 6] = [
    ("start to first poll", "ms", 1, |times| times.start),
    ("first answer", "ms", 2, |times| times.first_answer),
    ("answer, p50", "ms", 2, |times| times.p50),
    ("CPU a request", "ms", 2, |times| times.cpu),
    ("peak memory", "MB", 1, |times| times.memory),
    ("package", "MB", 2, |times| times.package),
];

impl Report {
    /// The tables.
    pub fn table(&self) -> String {
        let mut text = String::from("a create: medians\n        ");
        for (title, unit, ..) in FIGURES {
            write!(text, " {:>10}", format!("{title}/{unit}")).unwrap();
        }
        for times in &self.contestants {
            write!(text, "\n{:8}", times.name).unwrap();
            for (_, _, digits, figure) in FIGURES {
                write!(text, " {:10.digits$}", figure(times)).unwrap();
            }
        }
        text.push_str("\n\nat the share of a processor that so much memory gives: first answer, p50 (ms)\n");
        for times in &self.contestants {
            write!(text, "{:8}", times.name).unwrap();
            if times.held.is_empty() {
                text.push_str(" left out: control groups cannot be made here");
            }
            for held in &times.held {
                write!(text, " {:5} MB {:8.2} {:8.2}", held.megabytes, held.first_answer, held.p50).unwrap();
            }
            text.push('\n');
        }
        text.push_str("\nours, with a database that takes 5 ms\n");
        for Throughput { concurrency, requests_per_second, cpu } in &self.throughput {
            writeln!(text, "{concurrency:5} at a time {requests_per_second:8.0} requests/s {cpu:8.3} ms CPU each")
                .unwrap();
        }
        text
    }

    /// The drawing: one panel for each figure, one bar for each contestant.
    pub fn drawing(&self) -> String {
        const PANEL: (usize, usize) = (300, 150);
        const COLUMNS: usize = 3;
        const NAME: usize = 62;
        const BAR: f64 = 150.0;
        /// Where the value of a bar without length would stand.
        const VALUE: f64 = 67.0;
        let (width, height) = (PANEL.0 * COLUMNS, PANEL.1 * DRAWN.len().div_ceil(COLUMNS));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\" role=\"img\">\n<title>A create: this function, the SDK's bare put, an empty function, and \
             the same in Node.js and Python</title>\n<style>text {{ fill: #24292f }} rect {{ fill: #8c959f }} \
             .ours {{ fill: #bc4c00 }} @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} \
             rect {{ fill: #6e7681 }} .ours {{ fill: #f0883e }} }}</style>\n"
        );
        for (index, (title, unit, digits, figure)) in DRAWN.into_iter().enumerate() {
            let (x, y) = (index % COLUMNS * PANEL.0, index / COLUMNS * PANEL.1);
            let most = self.contestants.iter().map(figure).fold(0.0, f64::max);
            writeln!(svg, "<g transform=\"translate({x} {y})\">").unwrap();
            writeln!(svg, "<text x=\"{NAME}\" y=\"18\" font-weight=\"bold\">{title} ({unit})</text>").unwrap();
            for (row, times) in self.contestants.iter().enumerate() {
                let (top, value) = (28 + row * 22, figure(times));
                let length = (value / most * BAR).max(1.0);
                let class = if row == 0 { " class=\"ours\"" } else { "" };
                writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{NAME}\" y=\"{top}\" \
                     width=\"{length:.1}\" height=\"16\"{class}/><text x=\"{:.1}\" y=\"{}\">{value:.digits$}</text>",
                    NAME - 6,
                    top + 12,
                    times.name,
                    length + VALUE,
                    top + 12,
                )
                .unwrap();
            }
            svg.push_str("</g>\n");
        }
        svg.push_str("</svg>\n");
        svg
    }
}
