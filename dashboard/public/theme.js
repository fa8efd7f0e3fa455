// Before the first paint, so that a dark room sees no white flash.
(function () {
  var night = false;
  try {
    var kept = localStorage.getItem('mudpulse.theme');
    night = kept ? kept === 'night' : matchMedia('(prefers-color-scheme: dark)').matches;
  } catch (_) {
    // No storage here: the day it is.
  }
  if (night) {
    document.documentElement.dataset.theme = 'night';
    document.querySelector('meta[name=theme-color]').content = '#23272B';
  }
})();
