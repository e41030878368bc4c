/** The control room's own entry: built apart, so that nothing of it weighs on whoever reads a document. */

import { mount } from 'svelte';
import './icons.css';
import './app.css';
import ControlRoom from './components/control/ControlRoom.svelte';
import { applyTheme } from './lib/theme.svelte';

applyTheme();

const target = document.getElementById('page');
if (target === null) throw new Error('control.html has no #page');
mount(ControlRoom, { target, props: { documentId: location.pathname.split('/')[2] ?? '' } });
