"""Pictures as static SVG, drawn by Vega-Lite. Never reads the store."""
