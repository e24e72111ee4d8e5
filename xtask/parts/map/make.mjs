// Makes the map of the dashboard's pages, into the directory that is named: the land as one picture, and for each
// country its name in each language and the middle of its largest part. Shapes are those of Natural Earth (public
// domain) as the package world-atlas brings them, names those of the Unicode CLDR as Node brings them.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [, , modules, into] = process.argv;
const require = createRequire(join(modules, "any.js"));
const { geoNaturalEarth1, geoPath } = require("d3-geo");
const { feature } = require("topojson-client");
const countries = require("i18n-iso-countries");

const LANGUAGES = ["en", "fr", "ar", "es", "ru", "zh"];
const [WIDTH, HEIGHT] = [960, 440];
// Nobody is reported from there, and it would take a fifth of the map.
const ANTARCTICA = "010";

const shapes = (detail) => {
  const atlas = JSON.parse(readFileSync(require.resolve(`world-atlas/countries-${detail}.json`)));
  return feature(atlas, atlas.objects.countries).features.filter((shape) => shape.id !== ANTARCTICA);
};
const [coarse, fine] = [shapes("110m"), shapes("50m")];
const all = { type: "FeatureCollection", features: coarse };
const path = geoPath(geoNaturalEarth1().fitSize([WIDTH, HEIGHT], all)).digits(0);

const land = coarse.map((shape) => path(shape)).filter(Boolean);
writeFileSync(
  join(into, "land.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}">` +
    `<path d="${land.join("")}" fill="#dfe5ea" stroke="#ffffff" stroke-width=".6" stroke-linejoin="round"/></svg>\n`,
);

const largest = (shape) => {
  if (shape.geometry.type !== "MultiPolygon") return shape;
  const parts = shape.geometry.coordinates.map((coordinates) => ({ type: "Polygon", coordinates }));
  return parts.reduce((one, other) => (path.area(one) >= path.area(other) ? one : other));
};
const names = LANGUAGES.map((language) => [language, new Intl.DisplayNames([language], { type: "region" })]);
// Codes that the standard itself gives: those from XA on are its users' own.
const places = Object.keys(countries.getAlpha2Codes())
  .filter((country) => !/^X[A-Z]$/.test(country))
  .sort()
  .map((country) => {
    // The finer shapes hold the small countries too.
    const shape = fine.find((one) => one.id === countries.alpha2ToNumeric(country));
    return {
      country,
      names: Object.fromEntries(names.map(([language, name]) => [language, name.of(country)])),
      middle: shape ? path.centroid(largest(shape)).map(Math.round) : null,
    };
  });
writeFileSync(join(into, "countries.json"), `[\n${places.map((place) => JSON.stringify(place)).join(",\n")}\n]\n`);
